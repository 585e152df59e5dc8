"""The README's deploy path, with real images: up, ask, scale, stop and start the reply service, down."""

import subprocess
from pathlib import Path
from uuid import uuid4

import pytest
from tests.readme.blocks import ROOT, blocks_of
from tests.readme.session import Session
from tests.support.docker import compose as compose_command

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(900)]

SECTION = "Deploy"
COMPOSE = "docker compose"  # as the README says it
DOWN = ("--file", str(ROOT / "deploy" / "compose.yaml"), "down", "--volumes", "--timeout", "20")
IMAGES_TIMEOUT_S = 600.0


def test_the_deploy_path_of_the_readme_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compose = " ".join(compose_command())
    monkeypatch.setenv("COMPOSE_PROJECT_NAME", f"headrace-readme-{uuid4().hex[:8]}")
    reader = Session(tmp_path, also={COMPOSE: compose}, in_checkout=True, timeout_s=IMAGES_TIMEOUT_S)
    blocks = [block for block in blocks_of(ROOT / "README.md") if block.section == SECTION]
    assert blocks
    try:
        for block in blocks:
            reader.run(block)
    finally:
        subprocess.run([*compose.split(), *DOWN], capture_output=True, check=False)
