"""What is due later in a run: one task, asleep until the next of it, on whatever clock the event loop goes by."""

import heapq
import math
from collections.abc import Callable
from itertools import count

import anyio

from headrace.ledger.values import Alarm, Schedule

Due = list[tuple[str, Schedule | Alarm]]


class Timers:
    """Keeps what is due.

    Args:
        ring: Is given what is due now, in order.
    """

    def __init__(self, ring: Callable[[Due], None]) -> None:
        self._ring = ring
        self._heap: list[tuple[float, int, str, Schedule | Alarm]] = []
        self._numbers = count()
        self._changed = anyio.Event()

    @property
    def are_pending(self) -> bool:
        """Whether something is kept."""
        return bool(self._heap)

    def add(self, delay_s: float, trace_id: str, what: Schedule | Alarm) -> None:
        """Keep something until it is due."""
        entry = (anyio.current_time() + delay_s, next(self._numbers), trace_id, what)
        heapq.heappush(self._heap, entry)
        if self._heap[0] is entry:
            self._changed.set()

    async def run(self) -> None:
        """Ring for what is due, until this is cancelled."""
        while True:
            with anyio.CancelScope(deadline=self._heap[0][0] if self._heap else math.inf):
                await self._changed.wait()
            self._changed = anyio.Event()
            due: Due = []
            while self._heap and self._heap[0][0] <= anyio.current_time():
                _, _, trace_id, what = heapq.heappop(self._heap)
                due.append((trace_id, what))
            if due:
                self._ring(due)
