"""The bus on Redis Streams: streams and scripts as `bus.protocol` promises. Redis 6.2 or Valkey 7.2 at least."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from headrace.bus.redis import calls
from headrace.bus.redis.connection import MAX_BLOCK_S, Connections
from headrace.bus.redis.entries import RawEntry, delivery, terminal_event
from headrace.bus.redis.keys import Keys
from headrace.bus.redis.scripts import Scripts
from headrace.ledger.values import (
    Answer,
    Commit,
    Delivery,
    RunState,
    RunView,
    Submission,
    Terminal,
    TerminalEvent,
)
from headrace.wire.trace import partition_of

T = TypeVar("T")

WORKERS = "workers"
COORDINATORS = "coordinators"
DEFAULT_NAMESPACE = "headrace"
_MS = 1000
_INBOX_KEPT_MS = 3_600_000
_REPLY_LEASE_MS = 5_000  # a coordinator holds an event for one round trip; after this its reader is taken for dead
_RUN_FIELDS = ("pipe", "plan", "state", "terminal", "in_flight", "created_ms")


class RedisBus:
    """Keeps the bus contract on a Redis server.

    Args:
        url: Where the server is.
        namespace: Sets deployments that share a server apart.
        partitions: Over how many hash tags runs are spread; the same for every process of a deployment.
        retention_s: Seconds that the record of an ended run is kept.
        lane_batch: The most items that a lane hands out at once.

    Raises:
        SettingsError: The address cannot be understood.
    """

    def __init__(
        self,
        url: str,
        *,
        namespace: str = DEFAULT_NAMESPACE,
        partitions: int = 1,
        retention_s: float = 3600.0,
        lane_batch: int = 256,
    ) -> None:
        self._connections = Connections(url)
        self._scripts = Scripts(self._connections.commands)
        self._keys = tuple(Keys(namespace, partition) for partition in range(partitions))
        self._retention_ms = int(retention_s * _MS)
        self._lane_batch = lane_batch
        self._claim_cursors: dict[str, bytes] = {}
        self._next_partition = 0

    async def read(self, group: str, consumer: str, *, limit: int, wait_s: float) -> list[Delivery]:
        streams = {keys.stream(group): partition for partition, keys in self._some_partitions(limit)}
        count = max(1, limit // len(streams))
        raw = await self._read_group(WORKERS, consumer, list(streams), count, wait_s)
        return [
            delivery(streams[name.decode()], entry_id, 1, fields)
            for name, entries in raw
            for entry_id, fields in entries
            if fields is not None
        ]

    async def claim(self, group: str, consumer: str, *, limit: int, idle_s: float) -> list[Delivery]:
        claimed: list[Delivery] = []
        for partition, keys in enumerate(self._keys):
            if len(claimed) < limit:
                claimed += await self._claim(partition, keys.stream(group), consumer, limit - len(claimed), idle_s)
        return claimed

    async def extend(self, group: str, consumer: str, deliveries: Sequence[Delivery]) -> list[bool]:
        held: list[bool] = [False] * len(deliveries)
        for partition, positions in _by_partition(deliveries, lambda held_one: held_one.partition).items():
            stream = self._keys[partition].stream(group)
            args: list[str | int] = [WORKERS, consumer]
            for position in positions:
                args += (deliveries[position].id, deliveries[position].deliveries)
            answers = await self._healed([stream], WORKERS, "extend", [stream], args)
            for position, answer in zip(positions, answers, strict=True):
                held[position] = answer == 1
        return held

    async def commit(self, group: str, commits: Sequence[Commit]) -> list[list[Answer]]:
        answers: list[list[Answer]] = [[] for _ in commits]
        for partition, positions in _by_partition(commits, lambda commit: commit.partition).items():
            call = calls.commit_call(
                self._keys[partition],
                group,
                [commits[position] for position in positions],
                WORKERS,
                self._retention_ms,
                self._lane_batch,
            )
            raw = await self._run("commit", call)
            for position, words in zip(positions, raw, strict=True):
                answers[position] = [Answer(word.decode()) for word in words]
        return answers

    async def promote(self, group: str, *, limit: int) -> int:
        promoted = 0
        for keys in self._keys:
            async with self._connections.errors():
                members = await self._scripts.run("due", [keys.scheduled(group)], [limit])
            if members:
                promoted += await self._run("promote", calls.promote_call(keys, group, members, self._lane_batch))
        return promoted

    async def backlog(self, group: str) -> int:
        async with self._connections.errors():
            return sum([await self._connections.commands.xlen(keys.stream(group)) for keys in self._keys])

    async def dead_letters(self, group: str, *, limit: int) -> list[bytes]:
        letters: list[bytes] = []
        async with self._connections.errors():
            for keys in self._keys:
                entries: Any = await self._connections.commands.xrange(keys.dead(group), count=limit)
                letters += [fields[b"letter"] for _, fields in entries]
        return letters[:limit]

    async def submit(self, submissions: Sequence[Submission]) -> list[bool]:
        is_new = [False] * len(submissions)
        for partition, positions in _by_partition(submissions, lambda one: partition_of(one.trace_id)).items():
            chosen = [submissions[position] for position in positions]
            raw = await self._run("submit", calls.submit_call(self._keys[partition], chosen, self._lane_batch))
            for position, answer in zip(positions, raw, strict=True):
                is_new[position] = answer == 1
        return is_new

    async def view(self, trace_id: str) -> RunView | None:
        keys = self._keys_of(trace_id)
        if keys is None:
            return None
        async with self._connections.errors():
            raw: list[Any] = await self._connections.commands.hmget(keys.run(trace_id)[0], list(_RUN_FIELDS))
        pipe, plan, state, terminal, in_flight, created_ms = (value or b"" for value in raw)
        if not state:
            return None
        run_state = RunState(state.decode())
        ended = None if run_state is RunState.OPEN else Terminal(run_state, terminal)
        return RunView(trace_id, pipe.decode(), plan.decode(), ended, int(in_flight), int(created_ms))

    async def watch(self, trace_id: str, inbox: str) -> RunView | None:
        keys = self._keys_of(trace_id)
        if keys is None:
            return None
        async with self._connections.errors():
            await self._scripts.run("watch", [keys.run(trace_id)[0], keys.waiters], [trace_id, inbox])
        return await self.view(trace_id)

    async def unwatch(self, trace_id: str, inbox: str) -> None:
        keys = self._keys_of(trace_id)
        if keys is not None:
            async with self._connections.errors():
                await self._scripts.run("unwatch", [keys.waiters], [trace_id, inbox])

    async def end(self, trace_id: str, terminal: Terminal, tickets: Sequence[tuple[str, str]]) -> bool:
        keys = self._keys_of(trace_id)
        if keys is None:
            return False
        call = calls.end_call(keys, trace_id, terminal, list(tickets), self._retention_ms, self._lane_batch)
        return bool(await self._run("end", call))

    async def read_replies(self, consumer: str, *, limit: int, wait_s: float) -> list[TerminalEvent]:
        events = [
            terminal_event(partition, entry_id, fields)
            for partition, keys in enumerate(self._keys)
            for entry_id, _, fields in await self._claim_raw(
                keys.replies, COORDINATORS, consumer, limit, _REPLY_LEASE_MS
            )
        ]
        if events:
            return events
        streams = {keys.replies: partition for partition, keys in self._some_partitions(limit)}
        raw = await self._read_group(COORDINATORS, consumer, list(streams), max(1, limit // len(streams)), wait_s)
        return [
            terminal_event(streams[name.decode()], entry_id, fields)
            for name, entries in raw
            for entry_id, fields in entries
            if fields is not None
        ]

    async def waiters(self, trace_ids: Sequence[str]) -> list[tuple[str, ...]]:
        found: list[tuple[str, ...]] = [()] * len(trace_ids)
        for partition, positions in _by_partition(trace_ids, partition_of).items():
            async with self._connections.errors():
                raw: list[Any] = await self._connections.commands.hmget(
                    self._keys[partition].waiters, [trace_ids[position] for position in positions]
                )
            for position, inboxes in zip(positions, raw, strict=True):
                found[position] = tuple(inboxes.decode().split(",")) if inboxes else ()
        return found

    async def deliver(self, matches: Sequence[tuple[TerminalEvent, tuple[str, ...]]]) -> int:
        delivered = 0
        for partition, positions in _by_partition(matches, lambda match: match[0].partition).items():
            chosen = [matches[position] for position in positions]
            call = calls.deliver_call(self._keys[partition], chosen, COORDINATORS, _INBOX_KEPT_MS)
            delivered += await self._run("deliver", call)
        return delivered

    async def read_inbox(self, inbox: str, *, limit: int, wait_s: float) -> list[TerminalEvent]:
        streams = {keys.inbox(inbox): partition for partition, keys in enumerate(self._keys)}
        async with self._connections.errors():
            raw = await self._connections.block(
                "XREAD", "COUNT", limit, *_block(wait_s), "STREAMS", *streams, *("0" for _ in streams)
            )
            for name, entries in raw or ():
                await self._connections.commands.xdel(name, *(entry_id for entry_id, _ in entries))
        return [
            terminal_event(streams[name.decode()], entry_id, fields)
            for name, entries in raw or ()
            for entry_id, fields in entries
        ]

    async def aclose(self) -> None:
        await self._connections.aclose()

    def _keys_of(self, trace_id: str) -> Keys | None:
        partition = partition_of(trace_id)
        return self._keys[partition] if partition < len(self._keys) else None

    def _some_partitions(self, limit: int) -> list[tuple[int, Keys]]:
        """Choose at most `limit` partitions, other ones each time, as Redis counts a read's limit for each stream."""
        chosen = min(limit, len(self._keys))
        first, self._next_partition = self._next_partition, (self._next_partition + chosen) % len(self._keys)
        numbers = ((first + offset) % len(self._keys) for offset in range(chosen))
        return [(number, self._keys[number]) for number in numbers]

    async def _claim(self, partition: int, stream: str, consumer: str, limit: int, idle_s: float) -> list[Delivery]:
        raw = await self._claim_raw(stream, WORKERS, consumer, limit, int(idle_s * _MS))
        return [delivery(partition, entry_id, deliveries, fields) for entry_id, deliveries, fields in raw]

    async def _claim_raw(
        self, stream: str, consumers: str, consumer: str, limit: int, idle_ms: int
    ) -> list[tuple[bytes, int, list[bytes]]]:
        cursor = self._claim_cursors.get(stream, b"0-0")
        args = [consumers, consumer, idle_ms, cursor, limit]
        raw = await self._healed([stream], consumers, "claim", [stream], args)
        self._claim_cursors[stream] = raw[0]
        claimed: list[tuple[bytes, int, list[bytes]]] = raw[1:]
        return claimed

    async def _read_group(
        self, consumers: str, consumer: str, streams: list[str], count: int, wait_s: float
    ) -> list[tuple[bytes, list[RawEntry]]]:
        command = (
            *("XREADGROUP", "GROUP", consumers, consumer, "COUNT", count, *_block(wait_s), "STREAMS"),
            *streams,
            *(">" for _ in streams),
        )
        async with self._connections.errors():
            try:
                return await self._connections.block(*command) or []
            except ResponseError as error:
                await self._heal(error, consumers, streams)
                return await self._connections.block(*command) or []

    async def _healed(self, streams: list[str], consumers: str, verb: str, keys: list[str], args: Sequence[Any]) -> Any:  # noqa: ANN401 - a script's own answer
        async with self._connections.errors():
            try:
                return await self._scripts.run(verb, keys, args)
            except ResponseError as error:
                await self._heal(error, consumers, streams)
                return await self._scripts.run(verb, keys, args)

    async def _heal(self, error: ResponseError, consumers: str, streams: list[str]) -> None:
        """Create what a flush or a lost failover took; at 0, since what is in a stream is uncommitted."""
        if "NOGROUP" not in str(error):
            raise error
        for stream in streams:
            await _create_group(self._connections.commands, stream, consumers)

    async def _run(self, verb: str, call: calls.Call) -> Any:  # noqa: ANN401 - a script's own answer
        async with self._connections.errors():
            return await self._scripts.run(verb, call.keys, call.args)


async def _create_group(client: Redis, stream: str, consumers: str) -> None:
    try:
        await client.xgroup_create(stream, consumers, id="0", mkstream=True)
    except ResponseError as error:
        if "BUSYGROUP" not in str(error):
            raise


def _block(wait_s: float) -> tuple[str | int, ...]:
    # a BLOCK of 0 would wait for ever
    return ("BLOCK", max(1, int(min(wait_s, MAX_BLOCK_S) * _MS))) if wait_s > 0 else ()


def _by_partition(values: Sequence[T], partition: Callable[[T], int]) -> dict[int, list[int]]:
    positions: defaultdict[int, list[int]] = defaultdict(list)
    for position, value in enumerate(values):
        positions[partition(value)].append(position)
    return positions
