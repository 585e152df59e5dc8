"""Runs that ended other than completed while work of them was under way: nothing more of them is started here (I8)."""

import asyncio
from collections import OrderedDict
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")

_REMEMBERED = 65_536  # 10 MB; what is still delivered of an older one is answered LATE


class AbandonedRuns:
    """Remembers abandoned runs, and cuts their hops short. For one event loop.

    Attributes:
        runs: The trace_ids; looked at before every call of a node.
    """

    def __init__(self) -> None:
        self.runs: OrderedDict[str, None] = OrderedDict()
        self._hops: dict[asyncio.Task[Any], str] = {}
        self._cut: set[asyncio.Task[Any]] = set()

    def add(self, trace_ids: Iterable[str]) -> None:
        """Abandon runs; what is awaited in their hops under way is cancelled."""
        added = dict.fromkeys(trace_ids)
        for trace_id in added:
            self.runs[trace_id] = None
            self.runs.move_to_end(trace_id)
        while len(self.runs) > _REMEMBERED:
            self.runs.popitem(last=False)
        for task, trace_id in self._hops.items():
            # a task cannot be cancelled by itself: it finds the run abandoned when it goes on
            if trace_id in added and task not in self._cut and task is not asyncio.current_task():
                self._cut.add(task)
                task.cancel()

    async def unless_cut(self, trace_id: str, hop: Coroutine[Any, Any, T]) -> T | None:
        """Run a hop of a run, or a branch of one in a task of its own; gives None where it was cut short.

        Raises:
            asyncio.CancelledError: This task was cancelled, by somebody else or by somebody else too.
        """
        task = asyncio.current_task()
        if task is None:  # no task, nobody to cancel
            return await hop
        self._hops[task] = trace_id
        cancelled_before = task.cancelling()
        try:
            return await hop
        except asyncio.CancelledError:
            if task not in self._cut or task.cancelling() > cancelled_before + 1:
                raise
            return None
        finally:
            del self._hops[task]
            if task in self._cut:
                self._cut.discard(task)
                task.uncancel()
