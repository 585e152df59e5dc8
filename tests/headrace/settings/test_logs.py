import json
import logging

import pytest
import structlog
from msgspec import Struct

from headrace import Pipe
from headrace.bus.memory.bus import MemoryBus
from headrace.runtime.compose import connected, consuming
from headrace.settings.logs import LogSettings, set_up_logging
from headrace.settings.sources import read_settings
from headrace.wire.envelope import Framing

early = structlog.get_logger("headrace.early")


def events(capfd: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    written = capfd.readouterr()
    assert written.out == ""
    return [json.loads(line) for line in written.err.splitlines()]


def test_services_log_json_to_stderr_with_their_name(capfd: pytest.CaptureFixture[str]) -> None:
    set_up_logging(read_settings(LogSettings), "worker")
    early.info("worker_started", group="one")
    [event] = events(capfd)
    assert event.pop("timestamp")
    assert event == {
        "event": "worker_started",
        "group": "one",
        "level": "info",
        "logger": "headrace.early",
        "service": "worker",
    }


def test_the_standard_library_logs_the_same_way(capfd: pytest.CaptureFixture[str]) -> None:
    set_up_logging(read_settings(LogSettings), "gateway")
    logging.getLogger("uvicorn.error").warning("a %s", "word")
    [event] = events(capfd)
    assert (event["event"], event["level"], event["logger"]) == ("a word", "warning", "uvicorn.error")


def test_what_is_under_the_level_is_not_logged(capfd: pytest.CaptureFixture[str]) -> None:
    set_up_logging(read_settings(LogSettings, {"log_level": "error"}), "worker")
    early.warning("not_shown")
    early.error("shown")
    assert [event["event"] for event in events(capfd)] == ["shown"]


def test_human_logs_are_no_json(capfd: pytest.CaptureFixture[str]) -> None:
    set_up_logging(read_settings(LogSettings, {"log_format": "human"}), "worker")
    early.info("worker_started", group="one")
    line = capfd.readouterr().err
    assert "worker_started" in line
    assert "group=one" in line
    assert not line.startswith("{")


async def test_lines_that_a_node_writes_by_any_logger_say_of_which_run_and_node_they_are(
    capfd: pytest.CaptureFixture[str],
) -> None:
    class Ask(Struct):
        pass

    class Middle(Struct):
        pass

    pipe = Pipe("logged")

    @pipe.node(group="front")
    async def first(ask: Ask) -> Middle:
        logging.getLogger("third.party").warning("first")
        return Middle()

    @pipe.node(group="back")
    def second(middle: Middle) -> None:
        structlog.get_logger("own").warning("second", node="mine")

    set_up_logging(read_settings(LogSettings), "worker")
    await pipe.run(Ask())
    plan, bus = pipe.compile(), MemoryBus()
    async with consuming(plan, bus, Framing(), tuple(plan.groups)), connected(plan, bus, Framing()) as client:
        trace_id = await client.submit(Ask())
        await client.wait(trace_id)
    structlog.get_logger("own").warning("after")
    lines = [each for each in events(capfd) if each["event"] in {"first", "second", "after"}]
    places = [(each["event"], each.get("pipe"), each.get("group"), each.get("node")) for each in lines]
    served = [("first", "logged", "front", "first"), ("second", "logged", "back", "mine")]
    assert places == [*served, *served, ("after", None, None, None)]
    assert [each["trace_id"] for each in lines[2:4]] == [trace_id, trace_id]
