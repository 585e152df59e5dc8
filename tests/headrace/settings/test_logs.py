import json
import logging

import pytest
import structlog

from headrace.settings.logs import LogSettings, set_up_logging
from headrace.settings.sources import read_settings

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
