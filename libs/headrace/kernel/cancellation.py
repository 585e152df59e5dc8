"""Tells a cancellation that somebody asked of a task from one that came out of what its code waited for."""

import asyncio
import math
from typing import cast

from anyio import current_effective_deadline, get_cancelled_exc_class


def was_cancelled() -> bool:
    """Whether the task that runs, or a scope around it, was cancelled."""
    if current_effective_deadline() == -math.inf:
        return True
    if get_cancelled_exc_class() is not asyncio.CancelledError:
        return False
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def is_among(raised: BaseException, kinds: type[BaseException] | tuple[type[BaseException], ...]) -> bool:
    """Whether what was raised is of one of some kinds, or, of a group, something in it is."""
    if isinstance(raised, BaseExceptionGroup):
        return cast("BaseExceptionGroup[BaseException]", raised).subgroup(kinds) is not None
    return isinstance(raised, kinds)
