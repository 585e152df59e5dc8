"""The commands about groups and workers, on a real server with real worker processes."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.headrace_cli import gated
from tests.headrace_cli.gated import APP, GROUP
from tests.headrace_cli.operator import Operator
from tests.support.services import ROOT, Service

from headrace.runtime.submissions import Options
from headrace.testing.wait import wait_until_sync
from headrace_cli.main import main

pytestmark = pytest.mark.slow

HEADRACE = Path(sys.executable).with_name("headrace")


@pytest.fixture
def operator(redis_url: str, namespace: str, capfd: pytest.CaptureFixture[str]) -> Operator:
    return Operator(redis_url, namespace, capfd)


class Shop:
    """Worker processes of the group."""

    def __init__(self, operator: Operator) -> None:
        self._settings = {"bus_url": operator.url, "namespace": operator.namespace, "app": APP, "group": "shop"}
        self.started: list[Service] = []

    def worker(self) -> Service:
        self.started.append(Service("worker", **self._settings).ready())
        return self.started[-1]


@pytest.fixture
def shop(operator: Operator) -> Iterator[Shop]:
    shop = Shop(operator)
    yield shop
    for worker in shop.started:
        worker.close()


def group(operator: Operator) -> Any:
    [found] = operator.asks("top", "--once", "--every", "0.1")["groups"]
    return found


def workers(operator: Operator) -> list[Any]:
    return list(operator.asks("ps")["workers"])


def test_a_paused_group_finishes_what_it_has_stays_paused_for_new_workers_and_goes_on_when_resumed(
    operator: Operator, shop: Shop, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    worker = shop.worker()
    gated.submit(operator.url, operator.namespace, first)
    wait_until_sync(gated.begun(first).exists, description="the first job has begun")

    paused = operator.asks("pause", GROUP)
    assert paused == {"group": GROUP, "is_new": True, "workers": 1, "taking": [], "held": 1}
    gated.submit(operator.url, operator.namespace, second)
    [line] = workers(operator)
    assert (line["pid"], line["group"], line["state"], line["held"]) == (worker.pid, GROUP, "resting", 1)
    seen = group(operator)
    assert (seen["is_paused"], seen["resting"], seen["waiting"], seen["held"]) == (True, 1, 1, 1)
    assert "paused for" in operator.types("top", "gated", "--once", "--every", "0.1")
    [check] = [each for each in operator.asks("doctor", "--no-runs")["checks"] if each["name"] == "pauses"]
    assert (check["verdict"], GROUP in check["found"]) == ("warn", True)

    first.touch()
    assert worker.terminate() == 0
    newcomer = shop.worker()
    wait_until_sync(lambda: [each["state"] for each in workers(operator)] == ["resting"], description="it rests")
    assert workers(operator)[0]["pid"] == newcomer.pid
    drained = operator.asks("drain", "--timeout", "0", code=1)
    assert drained == {"is_drained": False, "left": [{"group": GROUP, "waiting": 1, "held": 0, "scheduled": 0}]}
    assert "1 waiting, 0 held, 0 scheduled, and it is paused" in operator.types("drain", "--timeout", "0", code=1)
    assert not gated.begun(second).exists()

    assert operator.asks("resume", GROUP) == {"group": GROUP, "was_paused": True, "waiting": 1}
    wait_until_sync(gated.begun(second).exists, description="the second job has begun")
    second.touch()
    assert operator.types("drain", "gated") == "drained\n"
    assert operator.asks("scale", "--measure", "0.1")["groups"][0]["wanted"] == 1
    assert "it keeps up" in operator.types("scale", "--measure", "0.1")


def test_a_group_without_workers_is_told_of(operator: Operator, tmp_path: Path) -> None:
    gated.submit(operator.url, operator.namespace, tmp_path / "gate")
    assert "nobody reads it" in operator.types("top", "--once", "--every", "0.1")
    assert operator.types("ps", code=1) == "no workers\n"
    [hint] = operator.asks("scale", "--measure", "0.1", code=1)["groups"]
    assert (hint["replicas"], hint["wanted"]) == (0, 1)
    assert operator.asks("pause", GROUP)["workers"] == 0
    assert operator.asks("pause", GROUP)["is_new"] is False
    assert "goes on: 1 waiting" in operator.types("resume", GROUP)
    assert "was not paused" in operator.types("resume", GROUP)


def test_an_unknown_group_is_a_wrong_use_that_names_those_there(operator: Operator, tmp_path: Path) -> None:
    gated.submit(operator.url, operator.namespace, tmp_path / "gate")
    for command in ("pause", "resume"):
        assert f"the groups there are: {GROUP}" in operator.types(command, "gated.shed", code=2)


class TestVerify:
    def test_a_server_that_is_fit_is_exit_code_0(self, redis_url: str, capfd: pytest.CaptureFixture[str]) -> None:
        assert main(["verify", redis_url, "--timeout", "0"]) == 0
        assert capfd.readouterr().out == "reachable, and fit\n"

    def test_a_server_that_is_not_there_is_waited_for_and_then_exit_code_1(
        self, capfd: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["verify", "redis://127.0.0.1:1", "--timeout", "0.6"]) == 1
        assert "redis://127.0.0.1:1" in capfd.readouterr().err


def test_a_trace_draws_each_call_with_its_worker_and_how_long_it_was_queued(operator: Operator, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    gate.touch()
    kept = Options(keeps_events=True)
    trace_id = gated.submit(operator.url, operator.namespace, gate, is_done_here=True, options=kept)
    drawn = operator.types("trace", trace_id)
    assert re.search(r"\+\S+ \S+ +work +\S+ \S+ on shop-[0-9a-f]+, queued \S+ \S+\n", drawn), drawn
    [started, *_] = operator.asks("trace", trace_id)["events"]
    assert (started["worker"].partition("-")[0], started["deliveries"]) == ("shop", 1)
    assert 0 <= started["queued_ms"] < 60_000


class TestReplay:
    def test_a_failed_run_is_done_again_from_its_dead_letter_which_stays(
        self, operator: Operator, tmp_path: Path
    ) -> None:
        gate = tmp_path / "shed" / "gate"
        trace_id = gated.submit(operator.url, operator.namespace, gate, is_done_here=True)
        [again] = operator.asks("replay", trace_id, APP, code=1)["replayed"]
        assert (again["node"], again["answer"]["error"]["error"]) == ("work", "FileNotFoundError")
        gate.parent.mkdir()
        gate.touch()
        [again] = operator.asks("replay", trace_id, APP)["replayed"]
        assert again["answer"] == {"gate": str(gate)}
        assert len(operator.letters()) == 1

    @pytest.mark.parametrize("is_completed", [True, False])
    def test_a_run_that_keeps_its_events_is_done_again_whole_however_it_ended(
        self, operator: Operator, tmp_path: Path, *, is_completed: bool
    ) -> None:
        gate = tmp_path / "shed" / "gate"
        if is_completed:
            gate.parent.mkdir()
            gate.touch()
        kept = Options(keeps_events=True)
        trace_id = gated.submit(operator.url, operator.namespace, gate, is_done_here=True, options=kept)
        gate.parent.mkdir(exist_ok=True)
        gate.touch()
        assert operator.asks("replay", trace_id, APP) == {
            "trace_id": trace_id,
            "replayed": [{"letter": "", "node": "", "is_result": True, "answer": {"gate": str(gate)}}],
        }
        assert f"{trace_id} from its entry message" in operator.types("replay", trace_id, APP)

    def test_a_run_of_another_pipe_is_told_by_what_it_starts_with(self, operator: Operator, tmp_path: Path) -> None:
        gate = tmp_path / "gate"
        gate.touch()
        kept = Options(keeps_events=True)
        trace_id = gated.submit(operator.url, operator.namespace, gate, is_done_here=True, options=kept)
        [again] = operator.asks("replay", trace_id, "examples.greetings:pipe", code=1)["replayed"]
        assert again["answer"]["error"]["code"] == "invalid_message"
        assert "'greetings'" in again["answer"]["error"]["detail"]

    def test_a_debugger_stands_where_the_error_was_raised(self, operator: Operator, tmp_path: Path) -> None:
        gate = tmp_path / "shed" / "gate"
        trace_id = gated.submit(operator.url, operator.namespace, gate, is_done_here=True)
        bus = ("--bus-url", operator.url, "--namespace", operator.namespace)
        command = [str(HEADRACE), "replay", trace_id, APP, "--pdb", *bus]
        ended = subprocess.run(command, cwd=ROOT, input="p job.gate\nq\n", capture_output=True, text=True, check=False)
        assert (ended.returncode, repr(str(gate)) in ended.stdout) == (1, True)

    def test_a_run_that_completed_cannot_be_replayed_and_it_says_why(self, operator: Operator, tmp_path: Path) -> None:
        gate = tmp_path / "gate"
        gate.touch()
        trace_id = gated.submit(operator.url, operator.namespace, gate, is_done_here=True)
        assert "what a run was started with is kept where it keeps its events" in operator.types(
            "replay", trace_id, APP, code=1
        )
        assert operator.types("replay", "0000" + "f" * 28, APP, code=1).startswith("error[unknown_run]")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_is_given_its_script(shell: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert f"_HEADRACE_COMPLETE=complete_{shell}" in capfd.readouterr().out


def test_bash_completes_a_commands_flags_by_it() -> None:
    script = """
    source <(headrace completion bash)
    COMP_WORDS=(headrace drain --ti) COMP_CWORD=2; _headrace_completion headrace; echo "${COMPREPLY[@]}"
    """
    environment = {**os.environ, "PATH": f"{HEADRACE.parent}:{os.environ['PATH']}"}
    ended = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert ended.stdout == "--timeout\n"
