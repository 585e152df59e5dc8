"""Runs beside whoever iterates over their events: a task that no task group owns, for an iterator may be left anywhere.

The iterator owns it: it waits for the task's end when it is closed, and whoever drops an iterator has it closed by the
event loop, on asyncio and on trio alike.
"""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from typing import Any

import structlog

_log = structlog.get_logger("headrace.kernel")


def start(work: Callable[[], Coroutine[Any, Any, None]]) -> object:
    """Start work, which raises nothing but a cancellation, in a task of its own.

    Returns:
        What is to be kept until the work has ended: an event loop keeps no more than a weak reference.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        trio = sys.modules["trio"]  # running on it, it is imported
        return trio.lowlevel.spawn_system_task(_guarded, work, trio.Cancelled, context=copy_context())
    if sys.version_info >= (3, 12):
        return asyncio.Task(work(), loop=loop, eager_start=True)  # what never waits costs no turn of the loop
    return loop.create_task(work())


async def _guarded(work: Callable[[], Coroutine[Any, Any, None]], cancelled: type[BaseException]) -> None:
    """Keep from trio what a node raises beside an error: of a system task it would end the whole program."""
    try:
        await work()
    except cancelled:
        raise
    except BaseException:  # noqa: BLE001 - the run has told its end
        _log.exception("run_crashed")
