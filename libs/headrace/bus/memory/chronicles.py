"""The events of runs in memory: of each run numbered, bounded, each once."""

from collections import deque
from collections.abc import Mapping
from itertools import islice

from headrace.bus.memory.sleepers import Sleepers
from headrace.kernel.clock import Clock
from headrace.ledger.told import Told
from headrace.ledger.values import RunEvent, Terminal

_MS = 1000


class Chronicles:
    """The events of all runs that ask for it.

    Args:
        limit: The most that are kept of a run; the oldest go first.
        sleepers: Those who wait for events.
        clock: Events have their time by it.
    """

    def __init__(self, limit: int, sleepers: Sleepers, clock: Clock) -> None:
        self._limit = limit
        self._sleepers = sleepers
        self._clock = clock
        self._of: dict[str, _Chronicle] = {}

    def __contains__(self, trace_id: str) -> bool:
        return trace_id in self._of

    def begin(self, trace_id: str) -> None:
        """Keep a run's events from now on."""
        self._of[trace_id] = _Chronicle(self._limit)

    def keep(self, told: Told) -> None:
        """Keep what a call tells of a run, where the run asks for it."""
        chronicle = self._of.get(told.trace_id)
        if chronicle is not None and chronicle.keep(told, self._now_ms()):
            self._sleepers.wake_all(("events", told.trace_id))

    def end(self, trace_id: str, terminal: Terminal) -> None:
        """Keep a run's end."""
        chronicle = self._of.get(trace_id)
        if chronicle is not None:
            chronicle.end(terminal, self._now_ms())
            self._sleepers.wake_all(("events", trace_id))

    def forget(self, trace_id: str) -> None:
        """Forget a run."""
        self._of.pop(trace_id, None)

    async def read(self, after: Mapping[str, int], limit: int, wait_s: float) -> dict[str, list[RunEvent]]:
        """Read events, as `bus.protocol.Events.events` says."""
        found = self._after(after, limit)
        if not found and await self._sleepers.wait_any([("events", trace_id) for trace_id in after], wait_s):
            found = self._after(after, limit)
        return found

    def _after(self, after: Mapping[str, int], limit: int) -> dict[str, list[RunEvent]]:
        found = {
            trace_id: self._of[trace_id].after(seq, limit) for trace_id, seq in after.items() if trace_id in self._of
        }
        return {trace_id: events for trace_id, events in found.items() if events}

    def _now_ms(self) -> int:
        return int(self._clock.now() * _MS)


class _Chronicle:
    def __init__(self, limit: int) -> None:
        self._events: deque[RunEvent] = deque(maxlen=limit)
        self._seq = 0
        self._turns: dict[str, tuple[str, int]] = {}

    def keep(self, told: Told, now_ms: int) -> bool:
        """Keep what a call tells; gives whether any of it was new.

        What an earlier turn of the call tells after a later one is dropped, and what was kept before is not kept again.
        """
        turn, count = self._turns.get(told.invocation, ("", 0))
        if told.turn < turn:
            return False
        if told.turn > turn:
            if turn:
                self._add(RunEvent(self._seq + 1, now_ms, replaced=told.invocation))
            count = 0
        new = told.events[max(count - told.first, 0) :]
        for blob in new:
            self._add(RunEvent(self._seq + 1, now_ms, blob))
        self._turns[told.invocation] = (told.turn, max(count, told.first + len(told.events)))
        return bool(new)

    def end(self, terminal: Terminal, now_ms: int) -> None:
        """Keep the run's end, behind which nothing is kept."""
        self._add(RunEvent(self._seq + 1, now_ms, terminal=terminal))

    def after(self, seq: int, limit: int) -> list[RunEvent]:
        """Give the first events after a place."""
        seen = len(self._events) - max(self._seq - seq, 0)
        return list(islice(self._events, max(seen, 0), max(seen, 0) + limit))

    def _add(self, event: RunEvent) -> None:
        self._seq = event.seq
        self._events.append(event)
