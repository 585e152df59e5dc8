"""Runs beside whoever iterates over their events: a task that no task group owns, for an iterator may be left anywhere.

The iterator owns it: it waits for the task's end when it is closed, and whoever drops an iterator has it closed by the
event loop, on asyncio and on trio alike.
"""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any


def start(work: Callable[[], Coroutine[Any, Any, None]]) -> object:
    """Start work, which raises nothing but a cancellation, in a task of its own.

    Returns:
        What is to be kept until the work has ended: an event loop keeps no more than a weak reference.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return sys.modules["trio"].lowlevel.spawn_system_task(work)  # running on it, it is imported
    if sys.version_info >= (3, 12):
        return asyncio.Task(work(), loop=loop, eager_start=True)  # what never waits costs no turn of the loop
    return loop.create_task(work())
