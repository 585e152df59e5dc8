"""Stopping a service: a signal asks it to finish, a second ends it at once; so does the death of its parent ask it."""

import asyncio
import os
import signal
from collections.abc import Generator
from contextlib import contextmanager

import structlog

_log = structlog.get_logger("headrace.service")
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_EXIT_BY_SIGNAL = 128


@contextmanager
def stop_signals(parent_fd: int | None = None) -> Generator[asyncio.Event]:
    """Take SIGTERM and SIGINT in the running loop.

    Args:
        parent_fd: The reading end of a pipe that a parent holds open as long as it lives; None for none.

    Yields:
        An event that the first one sets, and so does the parent's end. A second signal ends the process at once, with
        128 and its number.
    """
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()

    def take(number: signal.Signals) -> None:
        if stopping.is_set():
            _log.error("stopped_at_once", signal=number.name)
            os._exit(_EXIT_BY_SIGNAL + number)
        _log.info("stopping", signal=number.name)
        stopping.set()

    def orphaned(fd: int) -> None:
        loop.remove_reader(fd)
        _log.warning("stopping", parent="died")
        stopping.set()

    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, take, number)
    if parent_fd is not None:
        loop.add_reader(parent_fd, orphaned, parent_fd)
    try:
        yield stopping
    finally:
        if parent_fd is not None:
            loop.remove_reader(parent_fd)
        for number in STOP_SIGNALS:
            loop.remove_signal_handler(number)
