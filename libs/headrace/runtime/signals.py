"""Stopping a service: a signal asks it to finish, a second ends it at once; so does the death of its parent ask it."""

import asyncio
import os
import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager

import structlog

from headrace.runtime.lifeline import watch_parent

_log = structlog.get_logger("headrace.service")
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_EXIT_BY_SIGNAL = 128


@contextmanager
def stop_signals(
    parent_fd: int | None = None, *, orphan_s: float = 0.0, forced: Callable[[], object] | None = None
) -> Generator[asyncio.Event]:
    """Take SIGTERM and SIGINT in the running loop.

    Args:
        parent_fd: The reading end of a pipe that a parent holds open as long as it lives; None for none.
        orphan_s: Seconds after the parent's end at which the process is ended, whatever it does then.
        forced: Called by a second signal, right before the process ends.

    Yields:
        An event that the first one sets, and so does the parent's end. A second signal ends the process at once, with
        128 and its number.
    """
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()

    def take(number: signal.Signals) -> None:
        if stopping.is_set():
            _log.error("stopped_at_once", signal=number.name)
            if forced is not None:
                forced()
            os._exit(_EXIT_BY_SIGNAL + number)
        _log.info("stopping", signal=number.name)
        stopping.set()

    def orphaned() -> None:
        _log.warning("stopping", parent="died")
        stopping.set()

    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, take, number)
    if parent_fd is not None:
        watch_parent(parent_fd, lambda: loop.call_soon_threadsafe(orphaned), orphan_s=orphan_s)
    try:
        yield stopping
    finally:
        for number in STOP_SIGNALS:
            loop.remove_signal_handler(number)
