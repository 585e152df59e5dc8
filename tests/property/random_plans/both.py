"""The bus in memory and the one on Redis as one: what is asked of it is asked of both, and the answers are the same."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import structs

from headrace.bus.memory.bus import MemoryBus
from headrace.bus.redis.bus import RedisBus
from headrace.ledger.values import Answer, Commit, Delivery, Item, Schedule, TerminalEvent
from headrace.wire.envelope import trace_of

ALL = 10_000


@dataclass(frozen=True, slots=True)
class Pair:
    """One entry as each bus handed it out: the same but for ids."""

    in_memory: Delivery
    on_redis: Delivery

    @property
    def items(self) -> tuple[Item, ...]:
        return self.in_memory.entry.items

    @property
    def traces(self) -> set[str]:
        return {trace_of(item.frames[0]) for item in self.items}


class BothBuses:
    """Asks both; a `RunStore` for runners. Of a hop that Redis records in parts it drops those after the run's end."""

    def __init__(self, memory: MemoryBus, redis: RedisBus, namespace: str) -> None:
        self.memory = memory
        self.redis = redis
        self._prefix = f"{{{namespace}:0}}:"

    async def both(self, call: str, *args: Any, **options: Any) -> tuple[Any, Any]:
        return await getattr(self.memory, call)(*args, **options), await getattr(self.redis, call)(*args, **options)

    async def same(self, call: str, *args: Any, **options: Any) -> Any:
        in_memory, on_redis = await self.both(call, *args, **options)
        assert in_memory == on_redis, f"{call}: {in_memory} in memory, {on_redis} on Redis"
        return in_memory

    async def stashed(self, trace_id: str, stash: str, *, offset: int, limit: int) -> list[bytes]:
        in_memory, on_redis = await self.both("stashed", trace_id, stash, offset=offset, limit=limit)
        assert sorted(in_memory) == sorted(on_redis)  # what is recorded in parts comes in another order
        return list(in_memory)

    async def recall(self, trace_id: str, name: str) -> bytes | None:
        blob: bytes | None = await self.same("recall", trace_id, name)
        return blob

    async def remember(self, trace_id: str, name: str, blob: bytes) -> bytes:
        kept: bytes = await self.same("remember", trace_id, name, blob)
        return kept

    async def take(self, call: str, group: str, consumer: str, **options: Any) -> list[Pair]:
        """Read or claim all that there is."""
        in_memory, on_redis = await self.both(call, group, consumer, limit=ALL, **options)
        found = {one.entry.items: one for one in on_redis}
        assert {one.entry.items for one in in_memory} == set(found), "entries"
        assert len(in_memory) == len(on_redis) == len(found), "an entry stands twice"
        pairs = [Pair(one, found[one.entry.items]) for one in in_memory]
        for pair in pairs:
            assert pair.in_memory.entry == pair.on_redis.entry
            assert pair.in_memory.deliveries == pair.on_redis.deliveries
        return pairs

    async def commit(self, group: str, pair: Pair, commit: Commit) -> list[Answer]:
        (in_memory,) = await self.memory.commit(group, [commit])
        there = structs.replace(commit, partition=pair.on_redis.partition, delivery_id=pair.on_redis.id)
        (on_redis,) = await self.redis.commit(group, [there])
        assert in_memory == on_redis
        return in_memory

    async def events(self) -> list[TerminalEvent]:
        """Take all terminal events; they are delivered to nobody."""
        in_memory, on_redis = await self.both("read_replies", "replies", limit=ALL, wait_s=0)
        seen = [sorted((each.trace_id, str(each.terminal)) for each in events) for events in (in_memory, on_redis)]
        assert seen[0] == seen[1], "terminal events"
        await self.memory.deliver([(event, ()) for event in in_memory])
        await self.redis.deliver([(event, ()) for event in on_redis])
        return list(in_memory)

    async def check(self, traces: Sequence[str]) -> None:
        """Check that runs are the same, and that every in-flight count is conserved (I7)."""
        found = self._in_flight()
        for trace_id in traces:
            in_memory, on_redis = await self.both("view", trace_id)
            for name in ("terminal", "in_flight", "waiting"):
                assert getattr(in_memory, name) == getattr(on_redis, name), f"{name} of {trace_id}"
            run = self.memory._ledger.runs[trace_id]
            assert run.in_flight == found[trace_id] + run.waiting + run.suspended, f"in flight of {trace_id}"
        for lane in self.memory._ledger.lanes.values():
            assert next(iter(lane.tickets), None) not in lane.parked, "a lane stands still"

    def _in_flight(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for stream in self.memory._streams.values():
            found.update(trace_of(item.frames[0]) for entry in stream._entries.values() for item in entry.items)
        for due in self.memory._schedules.values():
            found.update(trace_id for _, _, trace_id, what in due if isinstance(what, Schedule))
        for lane in self.memory._ledger.lanes.values():
            found.update(trace_of(item.frames[0]) for item in lane.parked.values())
        return found

    @property
    def is_busy(self) -> bool:
        """Whether something is there to do now or later, signals aside."""
        memory = self.memory
        return any(map(len, memory._streams.values())) or any(memory._schedules.values())

    async def check_nothing_left(self) -> None:
        """Check that nothing is left but runs' records, states of lanes and dead letters; then delete these too."""
        for trace_id, run in self.memory._ledger.runs.items():
            held = (run.joins, run.feeders, run.tickets, run.signals, run.parked, run.memory)
            assert not any(held), f"left of {trace_id}: {run}"
            assert (run.in_flight, run.waiting) == (0, 0), f"in flight of {trace_id}: {run}"
        for name, lane in self.memory._ledger.lanes.items():
            assert not lane.tickets, f"lane {name}"
            assert not lane.parked, f"lane {name}"
            assert lane.state is not None, f"lane {name}"
        assert not self.memory._abandoned
        commands = self.redis._server.connections.commands
        keys = sorted([key.decode() async for key in commands.scan_iter(match=f"{self._prefix}*", count=1000)])
        try:
            for key in keys:
                await self._check_key(commands, key, key.removeprefix(self._prefix).partition(":")[0])
        finally:
            await commands.delete(*keys)

    async def _check_key(self, commands: Any, key: str, kind: str) -> None:
        if kind in ("stream", "replies"):
            assert await commands.xlen(key) == 0, key
        elif kind in ("run", "spill"):  # what was staged for a commit that came too late ages away
            assert await commands.pttl(key) > 0, f"{key} never expires"
        elif kind == "lane":
            assert self.memory._ledger.lanes[key.removeprefix(f"{self._prefix}lane:")].state, key
        else:
            assert kind in ("dead", "control", "epoch"), f"{key} is left"
