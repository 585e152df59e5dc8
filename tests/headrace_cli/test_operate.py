"""The commands for operators, on a real server: what they print, their JSON, their exit codes."""

import re
from typing import Any

import pytest
from redis import Redis
from tests.headrace_cli import operated
from tests.headrace_cli.operated import APP
from tests.headrace_cli.operator import Operator

from headrace_cli.main import main

pytestmark = pytest.mark.slow

NOWHERE = "0000" + "f" * 28


@pytest.fixture
def operator(redis_url: str, namespace: str, capfd: pytest.CaptureFixture[str]) -> Operator:
    return Operator(redis_url, namespace, capfd)


@pytest.fixture
def redis(redis_url: str) -> Any:
    with Redis.from_url(redis_url) as client:
        yield client


class TestDoctor:
    def test_a_healthy_deployment_has_no_failure(self, operator: Operator) -> None:
        operated.suspend(operator.url, operator.namespace)
        report = operator.asks("doctor")
        verdicts = {check["name"]: check["verdict"] for check in report["checks"]}
        assert report["findings"] == []
        assert {name for name, verdict in verdicts.items() if verdict == "fail"} == set()
        assert {"version", "eviction", "persistence", "clock", "scripts", "latency"} <= verdicts.keys()
        assert verdicts["conservation"] == verdicts["leaks"] == "ok"

    def test_a_leak_is_named_with_what_to_do_and_exit_code_1(self, operator: Operator, redis: Any) -> None:
        trace_id = operated.suspend(operator.url, operator.namespace)
        redis.hdel(operator.keys.run(trace_id)[1], "papproval#1")
        written = operator.types("doctor", code=1)
        assert f"run {trace_id}" in written
        assert "FAIL  the run's work is not what its record counts (1)" in written
        assert "to do: headrace trace RUN" in written
        [finding] = operator.asks("doctor", code=1)["findings"]
        assert (finding["kind"], finding["run"]) == ("conservation", trace_id)
        assert (finding["numbers"]["in_flight"], finding["numbers"]["found"]) == (1, 0)

    def test_without_runs_only_the_server_is_looked_at(self, operator: Operator, redis: Any) -> None:
        redis.zadd(operator.keys.lane("lane", "")[1], {"1": 1})
        names = [check["name"] for check in operator.asks("doctor", "--no-runs")["checks"]]
        assert "version" in names
        assert "conservation" not in names


class TestRuns:
    def test_runs_come_newest_first_with_their_state_and_failure(self, operator: Operator) -> None:
        [failed] = operated.fail(operator.url, operator.namespace)
        suspended = operated.suspend(operator.url, operator.namespace)
        listed = operator.asks("runs")
        assert [run["trace_id"] for run in listed["runs"]] == [suspended, failed]
        assert [run["state"] for run in listed["runs"]] == ["open", "failed"]
        assert (listed["runs"][0]["suspended"], listed["runs"][0]["in_flight"]) == (1, 1)
        assert listed["runs"][1]["failure"]["kind"] == "step"
        written = operator.types("runs")
        assert suspended in written
        assert "step in approve (ValueError)" in written

    def test_they_are_chosen_by_state_and_pipe_and_bounded(self, operator: Operator) -> None:
        traces = operated.fail(operator.url, operator.namespace, 3)
        assert [run["trace_id"] for run in operator.asks("runs", "--limit", "1")["runs"]] == [traces[-1]]
        assert "1 run of 3" in operator.types("runs", "--limit", "1", "--state", "failed")
        assert operator.asks("runs", "--state", "open")["runs"] == []
        assert operator.asks("runs", "--pipe", "other")["matched"] == 0

    def test_a_list_says_when_it_is_not_all(self, operator: Operator) -> None:
        operated.fail(operator.url, operator.namespace, 3)
        assert operator.asks("runs", "--look-at", "2")["is_all"] is False
        assert "there are more" in operator.types("runs", "--look-at", "2")

    def test_no_runs_are_fine(self, operator: Operator) -> None:
        assert operator.types("runs") == "no runs\n"


class TestTrace:
    def test_a_run_that_waits_for_a_signal_says_so(self, operator: Operator) -> None:
        trace_id = operated.suspend(operator.url, operator.namespace)
        written = operator.types("trace", trace_id)
        assert f"run {trace_id} of orders: open" in written
        assert "approval: 1 in orders.office" in written
        story = operator.asks("trace", trace_id)
        assert story["signals"] == [{"signal": "approval", "count": 1, "streams": ["orders.office"]}]

    def test_a_run_that_failed_says_why_and_names_its_dead_letter(self, operator: Operator) -> None:
        [trace_id] = operated.fail(operator.url, operator.namespace)
        [letter] = operator.letters()
        written = operator.types("trace", trace_id)
        assert "because of step in approve (ValueError), source user_code" in written
        assert letter["name"] in written
        assert "the secret" not in written

    def test_a_run_that_is_unknown_is_exit_code_1(self, operator: Operator) -> None:
        assert operator.types("trace", NOWHERE, code=1).startswith("error[unknown_run]")
        assert operator.types("trace", "none", code=1).startswith("error[unknown_run]")


class TestDeadLetters:
    def test_they_are_listed_and_chosen(self, operator: Operator) -> None:
        first, second = operated.fail(operator.url, operator.namespace, 2)
        letters = operator.letters()
        assert [letter["trace_id"] for letter in letters] == [first, second]
        assert re.fullmatch(r"orders\.office/0/\d+-\d+", letters[0]["name"])
        assert (letters[0]["node"], letters[0]["kind"], letters[0]["error"]) == ("approve", "step", "ValueError")
        assert [letter["trace_id"] for letter in operator.letters("--trace", second)] == [second]
        assert operator.letters("--kind", "timeout") == operator.letters("--group", "store") == []
        assert len(operator.letters("orders", "--group", "office", "--kind", "step")) == 2
        written = operator.types("dlq", "ls", "--limit", "1")
        assert letters[0]["name"] in written
        assert "1 of 2 dead letters" in written

    def test_the_message_is_shown_only_where_it_is_asked_for(self, operator: Operator) -> None:
        operated.fail(operator.url, operator.namespace)
        [letter] = operator.letters()
        [frame] = operator.asks("dlq", "show", letter["name"])["frames"]
        assert (frame["node"], "body" in frame) == ("approve", False)
        assert operator.asks("dlq", "show", letter["name"], "--body")["frames"][0]["body"] == {"value": -1}
        assert "step in approve (ValueError), source user_code" in operator.types("dlq", "show", letter["name"])

    def test_redriving_starts_runs_and_says_what_was_gone(
        self, operator: Operator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        operated.fail(operator.url, operator.namespace, 2)
        first, second = (letter["name"] for letter in operator.letters())
        gone = first.rpartition("/")[0] + "/1-1"
        monkeypatch.setattr(operated, "gives_up", set[int]())
        answer = operator.asks("dlq", "redrive", APP, first, gone, code=1)
        assert list(answer["started"]) == [first]
        assert (answer["gone"], answer["refused"]) == ([gone], {})
        assert [letter["name"] for letter in operator.letters()] == [second]
        trace_id = answer["started"][first]
        assert operator.types("signal", APP, trace_id, "approval", '{"by":"Ada"}') == "signal 'approval' was taken\n"
        assert operated.finish(operator.url, operator.namespace, trace_id) == b'{"value":0}'

    def test_all_of_a_pipe_are_redriven_and_named(self, operator: Operator) -> None:
        operated.fail(operator.url, operator.namespace, 2)
        written = operator.types("dlq", "redrive", APP, "--all")
        assert written.endswith("2 started, 0 gone, 0 refused\n")
        assert operator.letters() == []

    def test_purging_needs_a_yes(self, operator: Operator) -> None:
        operated.fail(operator.url, operator.namespace, 3)
        one, *_ = (letter["name"] for letter in operator.letters())
        assert "would throw 3 dead letters away" in operator.types("dlq", "purge", "--all", code=2)
        assert operator.types("dlq", "purge", one, "--yes") == "1 purged, 0 gone\n"
        assert operator.types("dlq", "purge", one, "--yes", code=1) == "0 purged, 1 gone\n"
        assert operator.types("dlq", "purge", "--all", "--yes") == "2 purged, 0 gone\n"

    @pytest.mark.parametrize(
        "command",
        [
            ("dlq", "show", "none"),
            ("dlq", "purge", "--yes"),
            ("dlq", "redrive", APP),
            ("dlq", "purge", "--all", "a.b/0/1-1"),
        ],
    )
    def test_a_wrong_use_is_exit_code_2(self, command: tuple[str, ...], operator: Operator) -> None:
        operator.types(*command, code=2)

    def test_one_that_is_gone_is_exit_code_1(self, operator: Operator) -> None:
        assert operator.types("dlq", "show", "a.b/0/1-1", code=1).startswith("error[unknown_letter]")


class TestSteering:
    def test_a_run_is_cancelled_once_and_again_is_fine(self, operator: Operator) -> None:
        trace_id = operated.suspend(operator.url, operator.namespace)
        assert operator.types("cancel", trace_id) == f"run {trace_id} is cancelled\n"
        assert operator.types("cancel", trace_id) == f"run {trace_id} is cancelled, and had ended before\n"
        assert operator.asks("trace", trace_id)["state"] == "cancelled"

    def test_a_run_that_has_failed_cannot_be_cancelled(self, operator: Operator) -> None:
        [trace_id] = operated.fail(operator.url, operator.namespace)
        assert operator.asks("cancel", trace_id, code=1) == {
            "trace_id": trace_id,
            "state": "failed",
            "was_open": False,
        }

    def test_an_unknown_run_is_exit_code_1(self, operator: Operator) -> None:
        assert operator.types("cancel", NOWHERE, code=1).startswith("error[unknown_run]")
        assert "error[unknown_run]" in operator.types("signal", APP, NOWHERE, "approval", '{"by":"Ada"}', code=1)

    def test_a_signal_lets_the_run_go_on(self, operator: Operator) -> None:
        trace_id = operated.suspend(operator.url, operator.namespace)
        signal = ("signal", APP, trace_id, "approval", '{"by":"Ada"}')
        assert operator.asks(*signal)["is_taken"] is True
        assert operator.asks(*signal, code=1)["is_taken"] is False
        assert operated.finish(operator.url, operator.namespace, trace_id) == b'{"value":3}'
        assert "result Sum" in operator.types("trace", trace_id)

    @pytest.mark.parametrize(("name", "message"), [("aproval", '{"by":"Ada"}'), ("approval", '{"by":1}')])
    def test_a_signal_that_does_not_fit_is_a_wrong_use(self, name: str, message: str, operator: Operator) -> None:
        operator.types("signal", APP, NOWHERE, name, message, code=2)


def test_without_a_server_each_command_says_where_to_give_one(capfd: pytest.CaptureFixture[str]) -> None:
    for command in (["doctor"], ["runs"], ["trace", NOWHERE], ["cancel", NOWHERE], ["dlq", "ls"]):
        assert main(command) == 2
        assert "give redis://HOST:PORT" in capfd.readouterr().err


def test_a_bus_that_is_away_is_exit_code_1(capfd: pytest.CaptureFixture[str]) -> None:
    for command in (["doctor"], ["runs"], ["trace", NOWHERE], ["dlq", "ls"]):
        assert main([*command, "--bus-url", "redis://127.0.0.1:1"]) == 1
        assert capfd.readouterr().err.startswith("error[bus_unavailable]")
