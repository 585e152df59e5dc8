"""Runs beside whoever iterates over their events: a task that no task group owns, for an iterator may be left anywhere.

The iterator owns it: it waits for the task's end when it is closed, and whoever drops an iterator has it closed by the
event loop, on asyncio and on trio alike.
"""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any

_kept: set[asyncio.Task[None]] = set()  # an event loop keeps no more than a weak reference


def start(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Start work, which raises nothing but a cancellation, in a task of its own."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        sys.modules["trio"].lowlevel.spawn_system_task(work)  # running on it, it is imported
        return
    task = loop.create_task(work(), name="headrace.run")
    _kept.add(task)
    task.add_done_callback(_kept.discard)
