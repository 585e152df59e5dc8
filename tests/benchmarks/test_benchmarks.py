"""The benchmarks run: short samples of the product and of the loops that are its limit, all measured, none failed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.redis_server import free_port

ROOT = Path(__file__).resolve().parents[2]
CASES = {
    "2 request/reply": {"1 outstanding", "64 outstanding"},
    "3 one-way": {"1 worker", "2 workers"},
}
PEERS = {"2 request/reply": {"headrace", "raw"}, "3 one-way": {"headrace", "raw", "raw_commit"}}


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_quick_run_measures_every_variant_of_its_cases_for_all_its_peers(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "--quick", "--port", str(free_port()), "--into", str(tmp_path)]
    command += ["--case", "2", "--case", "3", "--peer", "headrace", "--peer", "raw", "--peer", "raw_commit"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    results = json.loads((tmp_path / "performance.json").read_text())
    assert results["failures"] == [], (tmp_path / "bench.log").read_text()
    measured = {(each["case"], each["variant"], each["peer"]): each["metrics"] for each in results["samples"]}
    assert set(measured) == {
        (case, one, peer) for case, found in CASES.items() for one in found for peer in PEERS[case]
    }
    assert all(metrics["rate"] > 0 for metrics in measured.values())
    assert "| target |" in ran.stdout
