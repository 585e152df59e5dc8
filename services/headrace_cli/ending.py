"""How a command ends: by itself, by a signal, or with an error that users read."""

import asyncio
import signal
from collections.abc import Coroutine, Generator
from contextlib import contextmanager
from typing import Any

import uvloop

from headrace.errors import HeadraceError

_END_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_EXIT_BY_SIGNAL = 128


def run_to_end(command: Coroutine[Any, Any, int]) -> int:
    """Run a command's asynchronous part; gives its exit code.

    A signal cancels it, so that what it has started is stopped in order; a second one cancels that, too.

    Raises:
        HeadraceError: What ended the command, taken out of the groups in which tasks raise.
    """
    with known_error():
        return uvloop.run(_with_signals(command))


@contextmanager
def known_error() -> Generator[None]:
    """Take the first error of ours out of the groups in which tasks raise.

    Raises:
        HeadraceError: It; what came after it hides it no longer.
    """
    try:
        yield
    except BaseExceptionGroup as group:
        known = _known(group)
        if known is None:
            raise
        raise known from group


async def _with_signals(command: Coroutine[Any, Any, int]) -> int:
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    taken: list[int] = []

    def take(number: int) -> None:
        taken.append(number)
        if task is not None:
            task.cancel()

    for number in _END_SIGNALS:
        loop.add_signal_handler(number, take, number)
    try:
        return await command
    except asyncio.CancelledError:
        if not taken:
            raise
        return _EXIT_BY_SIGNAL + taken[0]
    finally:
        for number in _END_SIGNALS:
            loop.remove_signal_handler(number)


def _known(group: BaseExceptionGroup[BaseException]) -> HeadraceError | None:
    found, _ = group.split(HeadraceError)
    while found is not None:
        first = found.exceptions[0]
        if isinstance(first, HeadraceError):
            return first
        found = first
    return None
