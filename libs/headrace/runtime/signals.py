"""Stopping a service by signals: the first asks it to finish, a second ends it at once."""

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
def stop_signals() -> Generator[asyncio.Event]:
    """Take SIGTERM and SIGINT in the running loop.

    Yields:
        An event that the first one sets. A second one ends the process at once, with 128 and its number.
    """
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()

    def take(number: signal.Signals) -> None:
        if stopping.is_set():
            _log.error("stopped_at_once", signal=number.name)
            os._exit(_EXIT_BY_SIGNAL + number)
        _log.info("stopping", signal=number.name)
        stopping.set()

    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, take, number)
    try:
        yield stopping
    finally:
        for number in STOP_SIGNALS:
            loop.remove_signal_handler(number)
