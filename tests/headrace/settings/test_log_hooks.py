"""Log hooks see what is logged, can be removed, and do not suffer from each other."""

import asyncio
import json
import logging
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import structlog

from headrace.settings import log_hooks
from headrace.settings.log_hooks import LogHook, add_log_hook
from headrace.settings.logs import LogSettings, set_up_logging
from headrace.settings.sources import read_settings

log = structlog.get_logger("headrace.test")


@pytest.fixture(autouse=True)
def _no_hook_is_left() -> Iterator[None]:
    yield
    assert log_hooks._hooks == []


def set_up() -> None:
    set_up_logging(read_settings(LogSettings), "worker")


def test_a_hook_sees_each_event_with_all_that_is_logged_of_it() -> None:
    set_up()
    seen: list[Mapping[str, Any]] = []
    with add_log_hook(seen.append):
        log.info("hop_committed", group="one")
        logging.getLogger("uvicorn.error").warning("a %s", "word")
        log.debug("under_the_level")
    log.info("after")
    assert [(event["event"], event["level"], event["service"]) for event in seen] == [
        ("hop_committed", "info", "worker"),
        ("a word", "warning", "worker"),
    ]
    assert seen[0]["group"] == "one"


def test_a_hook_that_raises_is_told_of_once_and_the_others_and_the_log_go_on(
    capfd: pytest.CaptureFixture[str],
) -> None:
    set_up()
    seen: list[str] = []

    def broken(event: Mapping[str, Any]) -> None:
        raise LookupError("SECRET")

    with add_log_hook(broken), add_log_hook(lambda event: seen.append(event["event"])):
        log.info("one")
        log.info("two")
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert seen == ["one", "two"]
    assert sorted(line["event"] for line in lines) == ["log_hook_failed", "one", "two"]
    [failed] = [line for line in lines if line["event"] == "log_hook_failed"]
    assert failed["error"] == "LookupError"
    assert "SECRET" not in str(failed)


@pytest.mark.parametrize("raised", [structlog.DropEvent, asyncio.CancelledError])
def test_a_hook_cannot_drop_an_event_or_cancel_who_logs_it(
    capfd: pytest.CaptureFixture[str], raised: type[BaseException]
) -> None:
    set_up()

    class Unnamed:
        def __call__(self, _: Mapping[str, Any]) -> None:
            raise raised

        def __repr__(self) -> str:
            raise AttributeError

    seen: list[str] = []
    with add_log_hook(Unnamed()), add_log_hook(lambda event: seen.append(event["event"])):
        log.info("one")
        logging.getLogger("plain").warning("two")
    assert seen == ["one", "two"]
    written = {json.loads(line)["event"] for line in capfd.readouterr().err.splitlines()}
    assert written == {"one", "two", "log_hook_failed"}


def test_a_hook_that_another_removes_is_not_called_any_more() -> None:
    set_up()
    seen: list[str] = []
    later: list[LogHook] = []
    with add_log_hook(lambda _: later[0].remove()):
        later.append(add_log_hook(lambda event: seen.append(event["event"])))
        log.info("one")
    assert seen == []


def test_a_hook_gets_a_copy(capfd: pytest.CaptureFixture[str]) -> None:
    set_up()
    seen: list[dict[str, Any]] = []

    def spoil(event: Mapping[str, Any]) -> None:
        event.clear()  # type: ignore[attr-defined]

    with add_log_hook(spoil), add_log_hook(lambda event: seen.append(dict(event))):
        log.info("one", number=1)
    assert seen[0]["number"] == 1
    assert json.loads(capfd.readouterr().err)["number"] == 1


def test_what_a_hook_logs_is_logged_and_goes_to_no_hook(capfd: pytest.CaptureFixture[str]) -> None:
    set_up()
    with add_log_hook(lambda event: log.info("from_the_hook", of=event["event"])):
        log.info("one")
    events = [json.loads(line)["event"] for line in capfd.readouterr().err.splitlines()]
    assert sorted(events) == ["from_the_hook", "one"]


def test_hooks_are_called_in_order_and_one_may_remove_itself() -> None:
    set_up()
    seen: list[str] = []
    once: list[LogHook] = []

    def first(event: Mapping[str, Any]) -> None:
        seen.append(f"first {event['event']}")
        once[0].remove()

    once.append(add_log_hook(first))
    with add_log_hook(lambda event: seen.append(f"second {event['event']}")) as second:
        log.info("one")
        log.info("two")
        second.remove()
        second.remove()
        log.info("three")
    assert seen == ["first one", "second one", "second two"]
