"""What stands in the streams of groups now, and who reads them, over all partitions: a few commands for all of them.

Of messages only the first few of each stream are read, to tell which nodes they are for.
"""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from headrace.bus.redis.entries import delivery
from headrace.bus.redis.inspect.places import Command, Place, Places
from headrace.bus.redis.keys import Keys
from headrace.bus.redis.work import WORKERS

SAMPLE = 25  # entries of each stream whose nodes are told: of the largest messages 25 MB, of most 25 kB
_MS = 1000
_COUNTS = 3  # of a stream: entries, scheduled, dead


class Reader(Struct):
    """A worker of a group.

    Attributes:
        held: Entries that it has and has not ended.
        silent_ms: Since it last said anything.
    """

    name: str
    held: int
    silent_ms: int


class GroupNow(Struct):
    """A group's streams.

    Attributes:
        stream: `pipe.group`.
        entries: The backlog: what waits and what is held.
        taken: Entries ever handed out, None where the server does not count them, as before Redis 7.
        oldest_ms: For how long the oldest entry has been there; 0 where there is none.
        frames: The first message of the first items, as they stand there.
    """

    stream: str
    entries: int = 0
    scheduled: int = 0
    dead: int = 0
    taken: int | None = 0
    oldest_ms: int = 0
    readers: list[Reader] = []
    frames: list[bytes] = []

    @property
    def held(self) -> int:
        """Entries that workers have."""
        return sum(reader.held for reader in self.readers)


async def look_at_groups(places: Places, streams: Sequence[str], partitions: int) -> list[GroupNow]:
    """Look at groups, each by its stream's name.

    Raises:
        BusUnavailableError: A server is away.
    """
    found = {stream: GroupNow(stream) for stream in streams}
    async with places.errors():
        for place in await places.all():
            own = [keys for keys in _spelled(places, partitions) if await _is_at(place, keys, places)]
            await _OfPlace(place, [(keys, found[stream]) for keys in own for stream in streams]).look()
    return list(found.values())


def _spelled(places: Places, partitions: int) -> list[Keys]:
    return [Keys(places.namespace, number) for number in range(partitions)]


async def _is_at(place: Place, keys: Keys, places: Places) -> bool:
    return not places.is_cluster or await place.owns(keys.epoch)


_Each = tuple[Keys, GroupNow]


class _OfPlace:
    def __init__(self, place: Place, each: list[_Each]) -> None:
        self._place = place
        self._each = each

    async def look(self) -> None:
        await self._counts()
        await self._readers()
        await self._heads()

    async def _counts(self) -> None:
        commands: list[Command] = []
        for keys, group in self._each:
            name = group.stream
            commands += [("XLEN", keys.stream(name)), ("ZCARD", keys.scheduled(name)), ("XLEN", keys.dead(name))]
        answers = iter(await self._place.together(commands))
        for (_, group), counts in zip(self._each, zip(*[answers] * _COUNTS, strict=True), strict=True):
            group.entries += counts[0]
            group.scheduled += counts[1]
            group.dead += counts[2]

    async def _readers(self) -> None:
        there = await self._only(self._each, [("EXISTS", keys.stream(group.stream)) for keys, group in self._each])
        answers: list[Any] = await self._place.together(
            [("XINFO GROUPS", keys.stream(group.stream)) for keys, group in there]
        )
        read: list[_Each] = []
        for (keys, group), groups in zip(there, answers, strict=True):
            for one in groups:
                if one["name"] == WORKERS.encode():
                    read.append((keys, group))
                    taken = one.get("entries-read")
                    group.taken = None if taken is None or group.taken is None else group.taken + int(taken)
        commands: list[Command] = [("XINFO CONSUMERS", keys.stream(group.stream), WORKERS) for keys, group in read]
        for (_, group), consumers in zip(read, await self._place.together(commands), strict=True):
            _add_readers(group, consumers)

    async def _heads(self) -> None:
        commands: list[Command] = [
            ("XRANGE", keys.stream(group.stream), "-", "+", "COUNT", SAMPLE) for keys, group in self._each
        ]
        seconds, _ = await self._place.ask("TIME")
        for (_, group), entries in zip(self._each, await self._place.together(commands), strict=True):
            for entry_id, fields in entries:
                since_ms = int(entry_id.partition(b"-")[0])
                group.oldest_ms = max(group.oldest_ms, int(seconds) * _MS - since_ms, 0)
                items = delivery(0, entry_id, 0, fields or ()).entry.items
                group.frames.extend(item.frames[0] for item in items if item.frames)

    async def _only(self, each: list[_Each], commands: list[Command]) -> list[_Each]:
        answers = await self._place.together(commands)
        return [one for one, is_there in zip(each, answers, strict=True) if is_there]


def _add_readers(group: GroupNow, consumers: Any) -> None:  # noqa: ANN401 - as the client parses it
    """Add the readers of one partition: a worker reads all of them, under one name."""
    known = {reader.name: reader for reader in group.readers}
    for one in consumers:
        name = one["name"].decode(errors="replace")
        reader = known.get(name)
        if reader is None:
            group.readers.append(Reader(name, one["pending"], one["idle"]))
        else:
            reader.held += one["pending"]
            reader.silent_ms = min(reader.silent_ms, one["idle"])
