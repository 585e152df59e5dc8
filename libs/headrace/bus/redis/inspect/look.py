"""Looks at all that one server has of a namespace, in bounded pages, and counts the work of each run where it is.

A live server moves under a look. Items go from a schedule to a lane to a stream without a commit, so these are read in
that order, and what is seen is never too little for such a move. What commits move is what `census` watches for.
"""

from collections.abc import Collection
from typing import Any

import msgspec

from headrace.bus.redis.call import Due, Spill, decode_due, decode_tickets
from headrace.bus.redis.entries import delivery
from headrace.bus.redis.inspect.names import Inventory
from headrace.bus.redis.inspect.places import Command, Place
from headrace.bus.redis.inspect.seen import Group, Record, Seen
from headrace.bus.redis.keys import Keys
from headrace.bus.redis.work import WORKERS
from headrace.ledger.values import Schedule
from headrace.wire.envelope import trace_of
from headrace.wire.trace import is_trace_id, partition_of

_FIELDS = ("state", "in_flight", "waiting", "suspended", "lanes")
_CHUNK = 1000  # hashes whose pages are held at a time
_MS = 1000
_FOR_EVER = -1  # what PTTL says of a key without an expiry
_SPILL_PARTS = 3  # of a list's name: group, trace_id, its own
_WAITS = "[bsp]*"  # of a run's joins: what has begun, what has arrived, what is parked for signals


class Look:
    """One look at one server.

    Args:
        inventory: Its keys.
        only: The runs whose records are read; None for all.
    """

    def __init__(self, place: Place, inventory: Inventory, only: Collection[str] | None = None) -> None:
        self._place = place
        self._inventory = inventory
        self._spell = inventory.partitions
        self._only = only
        self._spills: dict[str, str] = {}
        self.seen = Seen()

    async def all(self) -> Seen:
        """Look at everything."""
        await self._tickets()
        await self._records(self._chosen("run"))
        await self._joins()
        await self._schedules()
        await self._spilled()
        await self._events()
        await self._lanes()
        await self._streams()
        await self._lists()
        await self._heads()
        known = self.seen.records.keys()
        await self._records([trace for trace in self._named() if trace not in known and is_trace_id(trace)])
        seconds, microseconds = await self._place.ask("TIME")
        self.seen.now_ms = int(seconds) * _MS + int(microseconds) // _MS
        return self.seen

    def _named(self) -> set[str]:
        seen = self.seen
        named = {*seen.found, *seen.waiters, *seen.abandoned, *seen.joins, *seen.events}
        return named if self._only is None else named & set(self._only)

    def _chosen(self, kind: str) -> list[str]:
        traces = [trace for _, trace in self._inventory.of(kind) if is_trace_id(trace)]
        return traces if self._only is None else [trace for trace in traces if trace in self._only]

    def _keys(self, trace: str) -> Keys:
        number = partition_of(trace)
        return self._spell.get(number) or Keys(self._inventory.namespace, number)

    async def _tickets(self) -> None:
        for partition, lane in self._inventory.of("tickets"):
            queue = self.seen.lanes[partition, lane]
            async for page in self._place.members(self._spell[partition].lane(lane, "")[1]):
                queue.tickets.update(ticket.decode() for ticket, _ in page)

    async def _records(self, traces: list[str]) -> None:
        commands: list[Command] = [("HMGET", self._keys(trace).run(trace)[0], *_FIELDS) for trace in traces]
        answers = await self._place.together(commands)
        holds: list[tuple[str, list[str]]] = []
        for trace, (state, in_flight, waiting, suspended, lanes) in zip(traces, answers, strict=True):
            if state is None:
                continue
            counts = (int(in_flight or 0), int(waiting or 0), int(suspended or 0))
            self.seen.records[trace] = Record(state.decode(), *counts)
            if lanes:
                holds.append((trace, [lane for lane, _ in decode_tickets(lanes)]))
        await self._unused(holds)

    async def _unused(self, holds: list[tuple[str, list[str]]]) -> None:
        commands: list[Command] = [
            ("HMGET", self._keys(trace).run(trace)[0], *(f"ticket:{lane}" for lane in lanes)) for trace, lanes in holds
        ]
        for (trace, lanes), tickets in zip(holds, await self._place.together(commands), strict=True):
            held = {lane: ticket.decode() for lane, ticket in zip(lanes, tickets, strict=True) if ticket}
            self.seen.records[trace].tickets.update(held)

    async def _joins(self) -> None:
        traces = self._chosen("joins")
        for start in range(0, len(traces), _CHUNK):
            chunk = traces[start : start + _CHUNK]
            keys = [self._keys(trace).run(trace)[1] for trace in chunk]
            for trace, key, fields in zip(chunk, keys, await self._place.fields_of(keys, _WAITS), strict=True):
                self.seen.joins[trace] = key
                await self._waiting(trace, key, fields)

    async def _waiting(self, trace: str, key: str, fields: dict[bytes, bytes]) -> None:
        gathers = [name[1:] for name, opening in fields.items() if name[:1] == b"b" and opening]
        counts: list[Any] = await self._place.ask("HMGET", key, *(b"g" + join for join in gathers)) if gathers else []
        arrived = sum(name[:1] == b"s" for name in fields)
        found = self.seen.found[trace]
        found.joins += arrived + len(gathers) + sum(int(count or 0) for count in counts)
        found.suspended += sum(
            name[:1] == b"p" and name.rpartition(b"#")[2].isdigit() for name in fields if b"#" in name
        )

    async def _schedules(self) -> None:
        for partition, group in self._inventory.of("scheduled"):
            key = self._spell[partition].scheduled(group)
            async for page in self._place.members(key):
                first_ms = min(due_ms for _, due_ms in page) if page else 0.0
                self.seen.overdue[key] = min(first_ms, self.seen.overdue.get(key, first_ms))
                for member, _ in page:
                    due = read_due(member)
                    if due is None:
                        self.seen.unreadable[key] += 1
                    else:
                        self._scheduled(partition, key, due)

    def _scheduled(self, partition: int, key: str, due: Due) -> None:
        match due.what:
            case Schedule(lane=lane, item=item):
                found = self.seen.found[due.trace_id]
                found.scheduled += 1
                found.schedule = key
                if lane:
                    self.seen.out.add((partition, lane, str(item.ticket)))
            case Spill(key=spill):
                self._spills[spill] = due.trace_id
            case _:  # an alarm is no work
                pass

    async def _spilled(self) -> None:
        lengths = await self._place.together([("LLEN", spill) for spill in self._spills])
        for trace, length in zip(self._spills.values(), lengths, strict=True):
            self.seen.found[trace].spilled += length
        named = [name.split(":") for _, name in self._inventory.of("spill")]
        keys = {
            self._keys(trace).spill(group, trace, name): trace
            for group, trace, name in (parts for parts in named if len(parts) == _SPILL_PARTS)
            if is_trace_id(trace)
        }
        lifetimes = await self._place.together([("PTTL", key) for key in keys])
        self.seen.spills = {
            key: trace
            for (key, trace), left_ms in zip(keys.items(), lifetimes, strict=True)
            if left_ms == _FOR_EVER and key not in self._spills
        }

    async def _events(self) -> None:
        keys = {trace: self._keys(trace).events(trace) for trace in self._chosen("events")}
        lifetimes = await self._place.together([("PTTL", key) for key in keys.values()])
        self.seen.events = {
            trace: key for (trace, key), left_ms in zip(keys.items(), lifetimes, strict=True) if left_ms == _FOR_EVER
        }

    async def _lanes(self) -> None:
        lanes = self._inventory.of("lane")
        for start in range(0, len(lanes), _CHUNK):
            chunk = lanes[start : start + _CHUNK]
            names = [self._spell[partition].lane(lane, "")[0] for partition, lane in chunk]
            for (partition, lane), fields in zip(chunk, await self._place.fields_of(names, "p*"), strict=True):
                if fields:
                    self.seen.lanes[partition, lane].parked.update(name[1:].decode() for name in fields)
                for frame in fields.values():
                    self.seen.found[trace_of(frame)].lanes += 1

    async def _streams(self) -> None:
        for partition, group in self._inventory.of("stream"):
            key = self._spell[partition].stream(group)
            seen = Group(key, group)
            async for page in self._place.entries(key):
                seen.first_ms = seen.first_ms or int(page[0][0].partition(b"-")[0])
                seen.entries += len(page)
                for entry_id, fields in page:
                    entry = delivery(partition, entry_id, 0, fields or ()).entry
                    for item in entry.items:
                        found = self.seen.found[trace_of(item.frames[0]) if item.frames else ""]
                        found.streams += 1
                        found.stream = key
                        if entry.lane:
                            self.seen.out.add((partition, entry.lane, str(item.ticket)))
            await self._readers(seen)
            self.seen.groups.append(seen)

    async def _readers(self, group: Group) -> None:
        names = [each["name"] for each in await self._place.ask("XINFO GROUPS", group.stream)]
        if WORKERS.encode() in names:
            consumers: Any = await self._place.ask("XINFO CONSUMERS", group.stream, WORKERS)
            group.consumers = tuple((each["name"].decode(), each["pending"], each["idle"]) for each in consumers)

    async def _lists(self) -> None:
        for keys in self._spell.values():
            async for page in self._place.entries(keys.replies):
                self.seen.told.update(_value(fields, b"trace") for _, fields in page)
            self.seen.waiters |= {trace.decode(): keys.waiters for trace in await self._place.fields(keys.waiters)}
            self.seen.paused |= {name.decode() for name in await self._place.fields(keys.paused)}
            async for names in self._place.names(keys.abandoned):
                self.seen.abandoned |= {trace.decode(): keys.abandoned for trace in names}

    async def _heads(self) -> None:
        lanes = list(self.seen.lanes)
        commands: list[Command] = [
            ("ZRANGE", self._spell[partition].lane(lane, "")[1], 0, 0) for partition, lane in lanes
        ]
        for lane, head in zip(lanes, await self._place.together(commands), strict=True):
            self.seen.lanes[lane].head = head[0].decode() if head else ""


def read_due(member: bytes) -> Due | None:
    """Read a member of a schedule; None for one that this version does not know."""
    try:
        return decode_due(member)
    except msgspec.MsgspecError:
        return None


def _value(fields: Any, name: bytes) -> str:  # noqa: ANN401 - an entry's fields as they came
    value: bytes = dict(zip(fields[::2], fields[1::2], strict=True)).get(name, b"")
    return value.decode()
