"""How groups stand: backlog, age, dead letters, who works. Each partition is looked at in one step.

All work of a run lies in one partition. So a look that finds nothing in any group of a partition is no race with work
that goes from one group to the next.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, structs
from redis.exceptions import ResponseError

from headrace.bus.protocol import Presence
from headrace.bus.redis.entries import delivery
from headrace.bus.redis.inspect.letters import Wanted
from headrace.bus.redis.inspect.names import Inventory, pattern
from headrace.bus.redis.inspect.places import Command, Place, Places
from headrace.bus.redis.keys import Keys
from headrace.bus.redis.roster import read_roster
from headrace.bus.redis.work import WORKERS

LIVE_MS = 5_000  # a live worker says something twice a second
_ASKED = 6  # commands a group, see `_commands`
_MS = 1000


class Worker(Struct, frozen=True):
    """A worker of a group.

    Attributes:
        held: Entries that the bus has it hold.
        idle_ms: Milliseconds since it last asked for entries or renewed a lease; -1 where it never did.
        said_ms: Milliseconds since it last said that it is there; -1 where it did not, or has departed.
        presence: What it said.
    """

    name: str
    group: str
    held: int = 0
    idle_ms: int = -1
    said_ms: int = -1
    presence: Presence | None = None

    @property
    def is_live(self) -> bool:
        """Whether it was heard of within the last seconds."""
        return 0 <= self.said_ms < LIVE_MS


class Group(Struct, frozen=True):
    """A group, over all partitions.

    Attributes:
        name: `pipe.group`.
        backlog: Entries that wait or are held.
        oldest_ms: Age of the oldest of them; 0 where there is none.
        scheduled: Retries, delays and alarms to come.
        added: Entries ever added; None where the server does not count (before Redis 7).
        paused_ms: For how long it is paused; -1 where it is not.
        frames: Of its first entries, the first message of each item, as it stands there.
    """

    name: str
    backlog: int = 0
    held: int = 0
    oldest_ms: int = 0
    scheduled: int = 0
    dead: int = 0
    added: int | None = 0
    paused_ms: int = -1
    workers: tuple[Worker, ...] = ()
    frames: tuple[bytes, ...] = ()

    @property
    def done(self) -> int | None:
        """Entries ever committed; None as `added`."""
        return None if self.added is None else self.added - self.backlog

    @property
    def waiting(self) -> int:
        """Entries that nobody holds."""
        return max(self.backlog - self.held, 0)

    @property
    def live(self) -> tuple[Worker, ...]:
        """Its workers that live."""
        return tuple(worker for worker in self.workers if worker.is_live)


class Moment(Struct, frozen=True):
    """All groups at one time, by name.

    Attributes:
        now_ms: By the server's clock.
    """

    now_ms: int
    groups: tuple[Group, ...]


class Groups:
    """Finds groups once, and looks at them again and again.

    Args:
        wanted: Which of them.
        heads: How many of the first entries of each stream are read; their messages tell which nodes they are for.
    """

    def __init__(self, places: Places, wanted: Wanted, *, heads: int = 1) -> None:
        self._places = places
        self._wanted = wanted
        self._heads = heads
        self._found: list[tuple[Place, Keys, list[str]]] = []
        self._first = Keys(places.namespace, 0)

    async def find(self) -> None:
        """Find the groups that there are.

        Raises:
            BusUnavailableError: A server is away.
        """
        found: list[tuple[Place, Keys, list[str]]] = []
        async with self._places.errors():
            for place in await self._places.all():
                inventory = Inventory(self._places.namespace)
                for kind in ("stream:", "dead:"):
                    async for page in place.keys(pattern(self._places.namespace, kind=kind)):
                        inventory.add(page)
                names = sorted({*inventory.of("stream"), *inventory.of("dead")})
                for partition, keys in inventory.partitions.items():
                    here = [name for at, name in names if at == partition and self._wanted.has_stream(name)]
                    if here:
                        found.append((place, keys, here))
        self._found = found

    async def take(self, names: Sequence[str], partitions: int) -> None:
        """Take groups as found whose names are known, which spares a walk through all keys; raises as `find`."""
        found: list[tuple[Place, Keys, list[str]]] = []
        async with self._places.errors():
            for place in await self._places.all():
                all_keys = (Keys(self._places.namespace, number) for number in range(partitions))
                here = [keys for keys in all_keys if not self._places.is_cluster or await place.owns(keys.epoch)]
                found.extend((place, keys, list(names)) for keys in here)
        self._found = found

    async def look(self) -> Moment:
        """Look at all of them. Raises as `find`."""
        groups: dict[str, Group] = {}
        consumers: defaultdict[str, list[Worker]] = defaultdict(list)
        async with self._places.errors():
            now_ms, roster, paused = await self._roster()
            for place, keys, names in self._found:
                answers = await place.at_once([command for name in names for command in self._commands(keys, name)])
                for at, name in enumerate(names):
                    own = answers[at * _ASKED : (at + 1) * _ASKED]
                    groups[name] = _added(groups.get(name), _read(name, own, now_ms))
                    consumers[name] += _consumers(name, own[-1])
        for _, presence in roster:
            if self._wanted.has_stream(presence.group):
                groups.setdefault(presence.group, Group(presence.group))
        for name in paused:
            if self._wanted.has_stream(name):
                groups.setdefault(name, Group(name))
        complete = [
            structs.replace(
                group,
                paused_ms=max(now_ms - paused[name], 0) if name in paused else -1,
                workers=_workers(name, consumers[name], roster, now_ms),
            )
            for name, group in sorted(groups.items())
        ]
        return Moment(now_ms, tuple(complete))

    def _commands(self, keys: Keys, name: str) -> tuple[Command, ...]:
        stream = keys.stream(name)
        return (
            ("XINFO STREAM", stream),
            ("XRANGE", stream, "-", "+", "COUNT", self._heads),
            ("ZCARD", keys.scheduled(name)),
            ("XLEN", keys.dead(name)),
            ("XLEN", stream),
            ("XINFO CONSUMERS", stream, WORKERS),
        )

    async def _roster(self) -> tuple[int, list[tuple[int, Presence]], dict[str, int]]:
        place = await self._places.having(self._first.workers)
        if place is None:
            return 0, [], {}
        seconds, microseconds = await place.ask("TIME")
        roster = read_roster(await place.fields(self._first.workers))
        return int(seconds) * _MS + int(microseconds) // _MS, roster, await paused_groups(place, self._first)


async def paused_groups(place: Place, first: Keys) -> dict[str, int]:
    """Give the paused groups, and since which Unix millisecond each is.

    Args:
        place: The server that has the first partition.
        first: That partition's keys.
    """
    return {name.decode(): int(since) for name, since in (await place.fields(first.paused)).items()}


def _read(name: str, answers: Sequence[Any], now_ms: int) -> Group:
    about, heads, scheduled, dead, backlog, consumers = answers
    for answer in (heads, scheduled, dead, backlog):
        if isinstance(answer, Exception):
            raise answer
    first = [delivery(0, entry_id, 0, fields or ()) for entry_id, fields in heads]
    oldest_ms = max(now_ms - first[0].since_ms, 0) if first else 0
    frames = tuple(item.frames[0] for each in first for item in each.entry.items if item.frames)
    facts: Mapping[str, Any] = {} if isinstance(about, ResponseError) else about  # the stream is not there (any more)
    is_there = not isinstance(about, ResponseError)
    added = facts.get("entries-added") if is_there else 0
    held = sum(worker.held for worker in _consumers(name, consumers))
    return Group(name, backlog, held, oldest_ms, scheduled, dead, added, frames=frames)


def _consumers(name: str, answer: Any) -> list[Worker]:  # noqa: ANN401 - an answer of the server, or its error
    if isinstance(answer, ResponseError):  # nobody has read it yet
        return []
    return [Worker(each["name"].decode(), name, each["pending"], each["idle"]) for each in answer]


def _added(before: Group | None, group: Group) -> Group:
    """Put what two partitions have of a group together."""
    if before is None:
        return group
    counted = None if before.added is None or group.added is None else before.added + group.added
    return Group(
        group.name,
        before.backlog + group.backlog,
        before.held + group.held,
        max(before.oldest_ms, group.oldest_ms),
        before.scheduled + group.scheduled,
        before.dead + group.dead,
        counted,
        frames=(*before.frames, *group.frames),
    )


def _workers(
    name: str, consumers: Sequence[Worker], roster: Sequence[tuple[int, Presence]], now_ms: int
) -> tuple[Worker, ...]:
    found: dict[str, Worker] = {}
    for each in consumers:  # of each partition
        known = found.get(each.name, each)
        held = known.held + each.held if each.name in found else each.held
        found[each.name] = structs.replace(each, held=held, idle_ms=min(known.idle_ms, each.idle_ms))
    for said_ms, presence in roster:
        if presence.group == name:
            worker = found.get(presence.worker, Worker(presence.worker, name))
            said_ms_ago = max(now_ms - said_ms, 0)
            found[presence.worker] = structs.replace(worker, said_ms=said_ms_ago, presence=presence)
    return tuple(found[name] for name in sorted(found))
