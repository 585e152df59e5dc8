"""Follows runs of one pipe: their events as whoever follows gets them, from any place, to the run's end."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from headrace.bus.protocol import Bus
from headrace.errors import BusUnavailableError, EventsNotKeptError, Failure, RunError, UnknownRunError
from headrace.ledger import events
from headrace.ledger.values import RunEvent, RunState, RunView, Terminal
from headrace.runtime.followers import Followers
from headrace.runtime.results import Results

_PAGE = 256
_LOOK_EVERY_S = 5.0  # a run that went with its server's memory tells nothing any more
_MS = 1000
ENDS = frozenset(state.value for state in RunState if state is not RunState.OPEN)
"""Kinds of events that end a run."""


class Event(Struct, frozen=True, omit_defaults=True):
    """One event of a run.

    Attributes:
        seq: Its place in the run, from 1 on; the order that counts.
        kind: `node_started`, `node_ended`, `node_failed`, `emitted`, `suspended`; `replaced`: a call is made again, and
            what it told before is void; `lost`: events before this one are kept no longer; or how the run ended:
            `completed`, `failed`, `cancelled`, `expired`.
        time: Unix time in seconds.
        run_id: The run that it happened in: of a sub-pipeline its own, else the trace_id.
        invocation_id: The call; the same again where it is repeated.
        attempt: 1, and one more each time the call failed.
        value: What a node emitted, in plain values; None for null.
        unsent: The type of an emitted value that has no JSON, or too much of it.
        retry_in_s: Of a failure; left out where it is for good.
        until: What is waited for: a signal's name, or seconds.
        count: Of `lost`, how many.
        result: Of `completed`, the result as the pipe's path answers it, in plain values.
    """

    seq: int
    kind: str
    trace_id: str
    time: float = 0.0
    run_id: str = ""
    node: str = ""
    group: str = ""
    invocation_id: str = ""
    attempt: int = 0
    value: Any = None
    unsent: str = ""
    duration_s: float | None = None
    outputs: int | None = None
    failure: Failure | None = None
    retry_in_s: float | None = None
    until: str | float = ""
    count: int = 0
    result: Any = None

    @property
    def is_end(self) -> bool:
        """Whether it ends the run."""
        return self.kind in ENDS


class Following:
    """Follows runs of one pipe.

    Args:
        followers: The process's, which reads for all.
    """

    def __init__(self, bus: Bus, followers: Followers, results: Results) -> None:
        self._bus = bus
        self._followers = followers
        self._results = results

    async def view(self, trace_id: str) -> RunView:
        """Look up a run that can be followed.

        Raises:
            UnknownRunError: No run has this trace_id (any more).
            EventsNotKeptError: The run does not keep its events.
        """
        view = await self._bus.view(trace_id)
        if view is None:
            raise UnknownRunError(trace_id)
        return _followable(view)

    async def is_over(self, view: RunView, after: int) -> bool:
        """Tell whether nothing comes after a place: the run has ended, and its end was seen.

        Raises:
            EventsNotKeptError: The run does not keep its events.
        """
        return _followable(view).terminal is not None and not await self._page(view.trace_id, after, limit=1)

    async def batches(
        self, view: RunView, after: int = 0, *, idle_s: float = _LOOK_EVERY_S
    ) -> AsyncGenerator[list[Event], None]:
        """Give a run's events as they come, to its end, or until this process stops.

        Args:
            view: Of a run that keeps its events.
            after: The `seq` of the last event seen.
            idle_s: Seconds without events after which an empty list is given.

        Raises:
            UnknownRunError: The run is known no longer.
        """
        trace_id = view.trace_id
        async with self._followers.following(trace_id, after) as follower:
            is_ended = view.terminal is not None
            while not follower.is_over:
                came = await self._page(trace_id, after) if is_ended else await self._followers.take(follower, idle_s)
                if came:
                    yield self._events(trace_id, after, came)
                    after = came[-1].seq
                    if came[-1].terminal is not None:
                        return
                elif is_ended or follower.is_over:
                    return  # the end was seen before, or this process stops
                else:
                    is_ended = await self._has_ended(trace_id)
                    if not is_ended:
                        yield []

    async def _has_ended(self, trace_id: str) -> bool:
        try:
            return (await self.view(trace_id)).terminal is not None
        except BusUnavailableError:  # it comes back, and the events with it
            return False

    async def _page(self, trace_id: str, after: int, *, limit: int = _PAGE) -> list[RunEvent]:
        return (await self._bus.events({trace_id: after}, limit=limit, wait_s=0)).get(trace_id, [])

    def _events(self, trace_id: str, after: int, came: Sequence[RunEvent]) -> list[Event]:
        found = [self._event(trace_id, event) for event in came]
        missing = came[0].seq - after - 1
        if missing > 0:
            found.insert(0, Event(came[0].seq - 1, "lost", trace_id, came[0].at_ms / _MS, count=missing))
        return found

    def _event(self, trace_id: str, event: RunEvent) -> Event:
        if event.terminal is not None:
            return self._end(trace_id, event, event.terminal)
        if event.replaced:
            return Event(event.seq, "replaced", trace_id, event.at_ms / _MS, invocation_id=event.replaced)
        told = events.decode(event.blob)
        return Event(
            event.seq,
            told.kind,
            trace_id,
            told.time,
            told.run_id,
            told.node,
            told.group,
            told.invocation_id,
            told.attempt,
            msgspec.json.decode(told.value) if told.value else None,
            told.unsent,
            told.duration_s,
            told.outputs,
            told.failure,
            told.retry_in_s,
            told.until,
        )

    def _end(self, trace_id: str, event: RunEvent, terminal: Terminal) -> Event:
        result, failure = None, None
        try:
            encoded = self._results.json(trace_id, terminal)
            result = msgspec.json.decode(encoded) if encoded else None
        except RunError as error:
            failure = error.failure
        kind = terminal.state.value
        return Event(event.seq, kind, trace_id, event.at_ms / _MS, failure=failure, result=result)


def _followable(view: RunView) -> RunView:
    if not view.keeps_events:
        raise EventsNotKeptError(view.trace_id)
    return view
