import json
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from headrace_cli.main import main
from headrace_gateway.api_keys import ApiKeys
from headrace_gateway.caller import Caller

APP = "tests.headrace_worker.app:pipe"


def test_the_version_is_shown(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capfd.readouterr().out.startswith("headrace ")


def test_a_plan_is_a_table_with_its_groups(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", APP]) == 0
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in capfd.readouterr().out.splitlines()]
    assert ["double", "one", "Number", "Doubled", "answer"] in rows
    assert ["answer", "two", "Doubled", "Answer", "end of run"] in rows


def test_a_plan_shows_the_placement_that_is_given(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    placement = tmp_path / "placement.toml"
    placement.write_text('[groups]\nall = ["double", "answer"]\n')
    assert main(["plan", APP, "--placement", str(placement), "--format", "json"]) == 0
    assert json.loads(capfd.readouterr().out)["groups"] == {"all": ["double", "answer"]}


def test_the_environment_names_a_placement_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    placement = tmp_path / "placement.toml"
    placement.write_text('[groups]\nall = ["double", "answer"]\n')
    monkeypatch.setenv("HEADRACE_PLACEMENT", str(placement))
    assert main(["plan", APP, "--format", "json"]) == 0
    assert json.loads(capfd.readouterr().out)["groups"] == {"all": ["double", "answer"]}


def test_a_plan_is_mermaid_too(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", APP, "--format", "mermaid"]) == 0
    assert capfd.readouterr().out.startswith("flowchart LR\n")


def test_every_mistake_of_a_pipe_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mistaken_app.py").write_text(
        "from headrace.graph.pipe import Pipe\npipe = Pipe('mistaken')\n"
        "@pipe.node\ndef a(x): ...\n@pipe.node\ndef b(y): ...\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    assert main(["plan", "mistaken_app:pipe"]) == 2
    written = capfd.readouterr().err
    assert written.startswith("error[compile_failed]: pipe 'mistaken' has")
    assert "node 'a'" in written
    assert "node 'b'" in written


@pytest.mark.parametrize("service", ["worker", "reply", "gateway"])
def test_the_services_bring_their_own_flags(service: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        raise SystemExit(main([service, "--help"]))
    written = capfd.readouterr().out
    assert ended.value.code == 0
    assert f"usage: headrace {service}" in written
    assert "HEADRACE_BUS_URL" in written


def test_a_service_is_run_with_its_flags() -> None:
    assert main(["worker", APP, "--group", "one", "--bus-url", "redis://127.0.0.1:1", "--check"]) == 0


def test_a_service_refuses_what_it_does_not_know(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["reply", "--grop", "one"]) == 2
    assert capfd.readouterr().err.startswith("error[settings_invalid]: setting '--grop' is not known")


@pytest.mark.slow
def test_dev_serves_a_pipe_and_prints_what_to_try() -> None:
    command = [sys.executable, "-m", "headrace_cli", "dev", APP, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said, curl = process.stdout.readline(), process.stdout.readline()
        url = curl.split()[-1]
        assert "serving pipe 'numbers' at http://127.0.0.1:" in said
        assert curl.strip() == f"""curl -d '{{"value": 1}}' {url}"""
        assert httpx.post(url, json={"value": 1}).json() == {"text": "2"}
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_a_key_is_made_with_the_entry_that_takes_it(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["key", "ada", "run:greetings", "read:*"]) == 0
    written = capfd.readouterr()
    (tmp_path / "keys.toml").write_text(written.out)
    key = written.err.rpartition(" ")[2].strip()
    caller = ApiKeys(tmp_path / "keys.toml").caller_of(key, 0.0)
    assert caller == Caller("key:ada", frozenset({"run:greetings", "read:*"}))
    assert key not in written.out


def test_a_key_of_what_is_no_scope_is_not_made(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["key", "ada", "fly:greetings"]) == 2
    assert "'fly:greetings' is no scope" in capfd.readouterr().err


@pytest.mark.parametrize("command", [("--version",), ("top", "--help"), ("dlq", "ls", "--help")])
def test_a_command_starts_without_what_it_does_not_need(command: tuple[str, ...]) -> None:
    code = f"import sys; from headrace_cli.main import main; main({list(command)}); print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(ended.stdout.splitlines()[-1].split())
    assert "headrace_cli.main" in loaded
    assert not loaded & {"fastapi", "uvicorn", "headrace.kernel.pipe", "headrace_worker.main"}


def test_a_command_that_does_not_exist_is_a_wrong_use_that_names_one_like_it(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["toop"]) == 2
    assert "Did you mean 'top'?" in capfd.readouterr().err
