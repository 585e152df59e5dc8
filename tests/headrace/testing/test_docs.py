"""The example of the page on testing, run as its reader runs it."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.readme.blocks import ROOT, blocks_of


@pytest.mark.slow
def test_the_page_shows_what_pytest_prints(tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    for block in blocks_of(ROOT / "docs" / "testing.md"):
        if block.title:
            (tmp_path / block.title).write_text(block.text, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "headrace.testing.plugin", f"--headrace-redis={redis_url}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith(".....")
    assert "5 passed" in done.stdout
