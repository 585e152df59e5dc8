"""What the parts of the Redis bus share: connections, scripts, keys, and how consumer groups are read and healed."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from headrace.bus.redis.calls import Call
from headrace.bus.redis.connection import MAX_BLOCK_S, Connections
from headrace.bus.redis.entries import RawEntry
from headrace.bus.redis.keys import Keys
from headrace.bus.redis.scripts import Scripts
from headrace.wire.trace import partition_of

T = TypeVar("T")

_MS = 1000


class Server:
    """One Redis server, as one deployment sees it.

    Args:
        url: Where the server is.
        namespace: Sets deployments that share a server apart.
        partitions: Over how many hash tags runs are spread.
        retention_s: Seconds that the record of an ended run is kept.
        lane_batch: The most items that a lane hands out at once.

    Raises:
        SettingsError: The address cannot be understood.
    """

    def __init__(self, url: str, *, namespace: str, partitions: int, retention_s: float, lane_batch: int) -> None:
        self.connections = Connections(url)
        self.scripts = Scripts(self.connections.commands)
        self.keys = tuple(Keys(namespace, partition) for partition in range(partitions))
        self.retention_ms = int(retention_s * _MS)
        self.lane_batch = lane_batch
        self._claim_cursors: dict[str, bytes] = {}
        self._next_partition = 0

    def keys_of(self, trace_id: str) -> Keys | None:
        """Give the keys of a run's partition; None where this deployment has no such partition."""
        partition = partition_of(trace_id)
        return self.keys[partition] if partition < len(self.keys) else None

    def some_partitions(self, limit: int) -> list[tuple[int, Keys]]:
        """Choose at most `limit` partitions, other ones each time, as Redis counts a read's limit for each stream."""
        chosen = min(limit, len(self.keys))
        first, self._next_partition = self._next_partition, (self._next_partition + chosen) % len(self.keys)
        numbers = ((first + offset) % len(self.keys) for offset in range(chosen))
        return [(number, self.keys[number]) for number in numbers]

    async def run(self, verb: str, call: Call) -> Any:  # noqa: ANN401 - a script's own answer
        """Run a script."""
        async with self.connections.errors():
            return await self.scripts.run(verb, call.keys, call.args)

    async def claim(
        self, stream: str, consumers: str, consumer: str, limit: int, idle_ms: int
    ) -> list[tuple[bytes, int, list[bytes]]]:
        """Take over entries idle for so long; gives id, times handed out and fields of each. A cursor goes round."""
        cursor = self._claim_cursors.get(stream, b"0-0")
        args = [consumers, consumer, idle_ms, cursor, limit]
        raw = await self.healed([stream], consumers, "claim", [stream], args)
        self._claim_cursors[stream] = raw[0]
        claimed: list[tuple[bytes, int, list[bytes]]] = raw[1:]
        return claimed

    async def read_group(
        self, consumers: str, consumer: str, streams: list[str], count: int, wait_s: float
    ) -> list[tuple[bytes, list[RawEntry]]]:
        """Take entries that were never handed out."""
        command = (
            *("XREADGROUP", "GROUP", consumers, consumer, "COUNT", count, *block(wait_s), "STREAMS"),
            *streams,
            *(">" for _ in streams),
        )
        async with self.connections.errors():
            try:
                return await self.connections.block(*command) or []
            except ResponseError as error:
                await self._heal(error, consumers, streams)
                return await self.connections.block(*command) or []

    async def healed(self, streams: list[str], consumers: str, verb: str, keys: list[str], args: Sequence[Any]) -> Any:  # noqa: ANN401 - a script's own answer
        """Run a script that needs the consumer group of some streams."""
        async with self.connections.errors():
            try:
                return await self.scripts.run(verb, keys, args)
            except ResponseError as error:
                await self._heal(error, consumers, streams)
                return await self.scripts.run(verb, keys, args)

    async def _heal(self, error: ResponseError, consumers: str, streams: list[str]) -> None:
        """Create what a flush or a lost failover took; at 0, since what is in a stream is uncommitted."""
        if "NOGROUP" not in str(error):
            raise error
        for stream in streams:
            await _create_group(self.connections.commands, stream, consumers)


async def _create_group(client: Redis, stream: str, consumers: str) -> None:
    try:
        await client.xgroup_create(stream, consumers, id="0", mkstream=True)
    except ResponseError as error:
        if "BUSYGROUP" not in str(error):
            raise


def block(wait_s: float) -> tuple[str | int, ...]:
    """Spell how long a read blocks."""
    # a BLOCK of 0 would wait for ever
    return ("BLOCK", max(1, int(min(wait_s, MAX_BLOCK_S) * _MS))) if wait_s > 0 else ()


def by_partition(values: Sequence[T], partition: Callable[[T], int]) -> dict[int, list[int]]:
    """Give, for each partition, the positions of its values."""
    positions: defaultdict[int, list[int]] = defaultdict(list)
    for position, value in enumerate(values):
        positions[partition(value)].append(position)
    return positions
