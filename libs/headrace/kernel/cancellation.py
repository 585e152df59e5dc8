"""Tells a cancellation that somebody asked of a task from one that came out of what its code waited for."""

import asyncio
import math
from typing import Any, cast

from anyio import current_effective_deadline


def was_cancelled() -> bool:
    """Whether the task that runs, or a scope around it, was cancelled."""
    if current_effective_deadline() == -math.inf:
        return True
    return cancellations() > 0


def cancellations() -> int:
    """Count the cancellations that were asked of the task that runs by asyncio, and not answered; none on trio."""
    task = asyncio_task()
    return task.cancelling() if task is not None else 0


def asyncio_task() -> "asyncio.Task[Any] | None":
    """Give the task that runs, where code in it could cancel it by itself: on asyncio."""
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None


def is_among(raised: BaseException, kinds: type[BaseException] | tuple[type[BaseException], ...]) -> bool:
    """Whether what was raised is of one of some kinds, or, of a group, something in it is."""
    if isinstance(raised, BaseExceptionGroup):
        return cast("BaseExceptionGroup[BaseException]", raised).subgroup(kinds) is not None
    return isinstance(raised, kinds)
