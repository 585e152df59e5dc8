"""Where one run stands: its record, and each piece of its work where it is and what it waits for."""

from typing import Any

import msgspec
from msgspec import Struct

from headrace.bus.redis.call import Due, Spill, decode_tickets
from headrace.bus.redis.entries import delivery, run_event
from headrace.bus.redis.inspect.joins import JoinStory, SignalStory, joins_of, signals_of
from headrace.bus.redis.inspect.letters import Wanted, all_letters
from headrace.bus.redis.inspect.look import read_due
from headrace.bus.redis.inspect.names import Inventory, pattern
from headrace.bus.redis.inspect.places import Place, Places
from headrace.bus.redis.inspect.runs import read_failure
from headrace.bus.redis.keys import Keys
from headrace.bus.redis.work import WORKERS
from headrace.errors import EnvelopeError, Failure
from headrace.ledger import events
from headrace.ledger.terminal import result_of
from headrace.ledger.values import Item, RunEvent, RunState, Schedule, Terminal
from headrace.wire.envelope import trace_of
from headrace.wire.trace import partition_of

_MS = 1000


class Waiting(Struct, frozen=True):
    """An entry in a group's stream.

    Attributes:
        stream: The group's, `pipe.group`.
        since_ms: When it came there, in Unix milliseconds.
        items: How many of its items are the run's.
        of: How many items it has.
        held_by: The consumer that holds it, empty where none does.
        held_ms: For how long it has not renewed its lease.
        deliveries: Times it was handed out.
    """

    stream: str
    id: str
    since_ms: int
    items: int
    of: int
    lane: str = ""
    held_by: str = ""
    held_ms: int = 0
    deliveries: int = 0


class Later(Struct, frozen=True):
    """Work in a group's schedule: an item, or `count` outputs that are recorded in parts."""

    stream: str
    due_ms: int
    lane: str = ""
    count: int = 1
    is_spill: bool = False


class InLane(Struct, frozen=True):
    """A place in a lane.

    Attributes:
        ahead: How many are in front of it.
        is_parked: Whether its item is there; else the place was taken at ingress, and the item is yet to come.
    """

    lane: str
    ticket: str
    ahead: int
    is_parked: bool


class Happened(Struct, frozen=True):
    """An event of the run, where it keeps its events.

    Attributes:
        kind: As whoever follows the run gets it.
        at_ms: Unix time in milliseconds.
        what: Of a failure, its kind; of a suspension, what is waited for; never a value.
        took_ms: Of a call that ended, its duration.
        worker: Of the first start of a hop, which worker it is on.
        deliveries: Of that, how often its entry has been handed out.
        queued_ms: Of that, for how long its entry had been in its group's stream.
    """

    seq: int
    kind: str
    at_ms: int
    node: str = ""
    invocation_id: str = ""
    attempt: int = 0
    what: str = ""
    took_ms: float | None = None
    worker: str = ""
    deliveries: int = 0
    queued_ms: float | None = None


class Story(Struct, frozen=True):
    """A run, and where it waits.

    Attributes:
        result_type: The type of its result, empty where it has none.
        waited_for_by: Inboxes that will be told its end.
        signals_come: Signals that it has been given.
        letters: Names of its dead letters.
        events: The newest of its events, without what nodes emitted.
        now_ms: The server's time.
        kept_ms: For how long its record is kept from now; -1 where that is not decided.
    """

    trace_id: str
    pipe: str
    plan: str
    state: RunState
    created_ms: int
    deadline_ms: int
    in_flight: int
    waiting: int
    suspended: int
    failure: Failure | None
    result_type: str
    kept_ms: int
    now_ms: int
    waited_for_by: tuple[str, ...] = ()
    entries: tuple[Waiting, ...] = ()
    scheduled: tuple[Later, ...] = ()
    lanes: tuple[InLane, ...] = ()
    joins: tuple[JoinStory, ...] = ()
    signals: tuple[SignalStory, ...] = ()
    signals_come: tuple[str, ...] = ()
    letters: tuple[str, ...] = ()
    events: tuple[Happened, ...] = ()


async def story_of(places: Places, trace_id: str) -> Story | None:
    """Tell where a run stands; None where it is unknown or forgotten.

    Raises:
        BusUnavailableError: A server is away.
    """
    keys = Keys(places.namespace, partition_of(trace_id))
    letters = [letter.name async for letter in all_letters(places, Wanted(trace_id=trace_id))]
    async with places.errors():
        place = await places.having(keys.epoch)
        return await _Telling(place, places.namespace, trace_id).story(tuple(letters)) if place is not None else None


async def entry_of(places: Places, trace_id: str) -> bytes:
    """Give the frame of a run's entry message; empty where its record keeps none, or is none. Raises as `story_of`."""
    keys = Keys(places.namespace, partition_of(trace_id))
    async with places.errors():
        place = await places.having(keys.epoch)
        entry: bytes | None = await place.ask("HGET", keys.run(trace_id)[0], "entry") if place is not None else None
    return entry or b""


class _Telling:
    def __init__(self, place: Place, namespace: str, trace_id: str) -> None:
        self._place = place
        self._namespace = namespace
        self._keys = Keys(namespace, partition_of(trace_id))
        self._trace = trace_id
        self._inventory = Inventory(namespace)

    async def story(self, letters: tuple[str, ...]) -> Story | None:
        run, joins = self._keys.run(self._trace)
        record = await self._place.fields(run)
        if b"state" not in record:
            return None
        await self._find_keys()
        kept = await self._kept(joins)
        seconds, microseconds = await self._place.ask("TIME")
        inboxes: bytes | None = await self._place.ask("HGET", self._keys.waiters, self._trace)
        state, terminal = RunState(record[b"state"].decode()), record.get(b"terminal", b"")
        return Story(
            trace_id=self._trace,
            pipe=record.get(b"pipe", b"").decode(),
            plan=record.get(b"plan", b"").decode(),
            state=state,
            **{name: int(record.get(name.encode(), 0)) for name in _NUMBERS},
            failure=None if state in (RunState.OPEN, RunState.COMPLETED) else read_failure(terminal),
            result_type=_result_type(terminal) if state is RunState.COMPLETED else "",
            kept_ms=await self._place.ask("PTTL", run),
            now_ms=int(seconds) * _MS + int(microseconds) // _MS,
            waited_for_by=tuple(inboxes.decode().split(",")) if inboxes else (),
            scheduled=tuple(await self._scheduled()),
            lanes=(*await self._parked(), *await self._tickets(record)),
            entries=tuple(await self._entries()),
            joins=joins_of(kept),
            signals=signals_of(kept),
            signals_come=tuple(name[1:].decode() for name in kept if name[:1] == b"i"),
            letters=letters,
            events=tuple(await self._events()) if b"events" in record else (),
        )

    async def _events(self) -> list[Happened]:
        newest: Any = await self._place.ask("XREVRANGE", self._keys.events(self._trace), "+", "-", "COUNT", _NEWEST)
        found = [happened(run_event(entry_id, fields)) for entry_id, fields in reversed(newest)]
        return [event for event in found if event.kind != "emitted"]

    async def _find_keys(self) -> None:
        for kind in ("stream:", "scheduled:", "lane:"):
            async for page in self._place.keys(pattern(self._namespace, partition_of(self._trace), kind)):
                self._inventory.add(page)

    async def _kept(self, joins: str) -> dict[bytes, bytes]:
        """Read what is kept aside, but for what has been gathered, which may be much: only how much."""
        kept = await self._place.fields(joins, "[bcips]*")
        for name in [b"g" + name[1:] for name, opening in kept.items() if name[:1] == b"b" and opening]:
            kept[name] = await self._place.ask("HGET", joins, name) or b"0"
        return kept

    async def _entries(self) -> list[Waiting]:
        found: list[Waiting] = []
        for _, group in self._inventory.of("stream"):
            async for page in self._place.entries(self._keys.stream(group)):
                for entry_id, fields in page:
                    entry = delivery(0, entry_id, 0, fields or ()).entry
                    if own := [item for item in entry.items if self._is_ours(item)]:
                        at = entry_id.decode()
                        since_ms = int(at.partition("-")[0])
                        waiting = Waiting(group, at, since_ms, len(own), len(entry.items), entry.lane)
                        found.append(await self._held(waiting))
        return found

    async def _held(self, waiting: Waiting) -> Waiting:
        stream = self._keys.stream(waiting.stream)
        if WORKERS.encode() not in [each["name"] for each in await self._place.ask("XINFO GROUPS", stream)]:
            return waiting
        pending = await self._place.ask("XPENDING", stream, WORKERS, waiting.id, waiting.id, 1)
        if not pending:
            return waiting
        _, consumer, idle_ms, deliveries = pending[0]
        return msgspec.structs.replace(waiting, held_by=consumer.decode(), held_ms=idle_ms, deliveries=deliveries)

    async def _scheduled(self) -> list[Later]:
        found: dict[bytes, Later] = {}
        for _, group in self._inventory.of("scheduled"):
            async for page in self._place.members(self._keys.scheduled(group)):
                for member, due_ms in page:
                    due = read_due(member)
                    if due is None or due.trace_id != self._trace:
                        continue
                    if later := await self._later(group, due, int(due_ms)):
                        found[member] = later
        return sorted(found.values(), key=lambda later: later.due_ms)

    async def _later(self, group: str, due: Due, due_ms: int) -> Later | None:
        match due.what:
            case Schedule(lane=lane):
                return Later(group, due_ms, lane)
            case Spill(key=key):
                return Later(group, due_ms, count=await self._place.ask("LLEN", key), is_spill=True)
            case _:
                return None

    async def _parked(self) -> list[InLane]:
        found: list[InLane] = []
        lanes = [lane for _, lane in self._inventory.of("lane")]
        all_parked = await self._place.fields_of([self._keys.lane(lane, "")[0] for lane in lanes], "p*")
        for lane, parked in zip(lanes, all_parked, strict=True):
            for name, frame in parked.items():
                if trace_of(frame) == self._trace:
                    found.append(await self._in_lane(lane, name[1:].decode(), is_parked=True))
        return found

    async def _tickets(self, record: dict[bytes, bytes]) -> list[InLane]:
        lanes = decode_tickets(record[b"lanes"]) if b"lanes" in record else ()
        tickets = {lane: record.get(f"ticket:{lane}".encode()) for lane, _ in lanes}
        held = {lane: ticket.decode() for lane, ticket in tickets.items() if ticket}
        return [await self._in_lane(lane, ticket, is_parked=False) for lane, ticket in held.items()]

    async def _in_lane(self, lane: str, ticket: str, *, is_parked: bool) -> InLane:
        ahead = await self._place.ask("ZRANK", self._keys.lane(lane, "")[1], ticket)
        return InLane(lane, ticket, ahead or 0, is_parked)

    def _is_ours(self, item: Item) -> bool:
        return any(trace_of(frame) == self._trace for frame in item.frames[:1])


_NEWEST = 1000  # events that are read: more than anybody reads in a terminal
_NUMBERS = ("created_ms", "deadline_ms", "in_flight", "waiting", "suspended")


def happened(event: RunEvent) -> Happened:
    """Tell an event without a value in it."""
    if event.terminal is not None:
        return Happened(event.seq, event.terminal.state.value, event.at_ms)
    if event.replaced:
        return Happened(event.seq, "replaced", event.at_ms, invocation_id=event.replaced)
    try:
        told = events.decode(event.blob)
    except EnvelopeError:
        return Happened(event.seq, "(unreadable)", event.at_ms)
    what = told.failure.kind.value if told.failure is not None else str(told.until)
    at_ms = int(told.time * _MS)
    return Happened(
        event.seq,
        told.kind,
        at_ms,
        told.node,
        told.invocation_id,
        told.attempt,
        what,
        _in_ms(told.duration_s),
        told.worker,
        told.deliveries,
        _in_ms(told.queued_s),
    )


def _in_ms(seconds: float | None) -> float | None:
    return seconds * _MS if seconds is not None else None


def _result_type(blob: bytes) -> str:
    try:
        return result_of(Terminal(RunState.COMPLETED, blob)).type
    except EnvelopeError:
        return "(unreadable)"
