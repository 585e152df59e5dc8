"""What the parts of the Redis bus share: connections, scripts, keys, and how consumer groups are read and healed.

| event | fields | when |
| --- | --- | --- |
| `group_created_again` (warning) | address, stream, consumers, lost | a consumer group was gone: made again |
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import structlog
from redis.exceptions import ResponseError

from headrace.bus.redis.call import Call, Holds, Limits, decode_tickets
from headrace.bus.redis.calls import end_call
from headrace.bus.redis.connection import Connections
from headrace.bus.redis.epochs import Epochs
from headrace.bus.redis.keys import Keys
from headrace.bus.redis.lines import Word
from headrace.bus.redis.reads import Read
from headrace.bus.redis.routes import BROKEN
from headrace.bus.redis.scripts import Scripts
from headrace.ledger.values import Terminal
from headrace.wire.trace import partition_of

T = TypeVar("T")

_log = structlog.get_logger("headrace.bus")
_MS = 1000


class Server:
    """Redis, as one deployment sees it.

    Args:
        url: Where it is, as `bus.redis.url` describes.
        namespace: Sets deployments that share a server apart.
        partitions: Over how many hash tags runs are spread.
        retention_s: Seconds that the record of an ended run is kept.
        lane_batch: The most items that a lane hands out at once.
        kept_events: The most events of a run that are kept.

    Attributes:
        namespace: As given.
        epochs: Whether data was lost.

    Raises:
        SettingsError: The address cannot be understood.
    """

    def __init__(
        self, url: str, *, namespace: str, partitions: int, retention_s: float, lane_batch: int, kept_events: int
    ) -> None:
        self.namespace = namespace
        self.connections = Connections(url)
        self.scripts = Scripts(self.connections.commands)
        self.keys = tuple(Keys(namespace, partition) for partition in range(partitions))
        self.limits = Limits(int(retention_s * _MS), lane_batch, kept_events)
        self.epochs = Epochs(self.connections, self.keys)
        self._had_group: set[tuple[str, str]] = set()
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

    async def holds(self, keys: Keys, trace_id: str) -> Holds:
        """Give what a run holds."""
        run, _ = keys.run(trace_id)
        commands = self.connections.commands
        held: list[Any] = await self.connections.twice(lambda: commands.hmget(run, ["lanes", "events"]))
        lanes, events = held
        return Holds(decode_tickets(lanes) if lanes else (), events is not None)

    async def end_run(self, keys: Keys, trace_id: str, terminal: Terminal) -> bool:
        """End a run from outside a hop; gives whether this ended it."""
        call = end_call(keys, trace_id, terminal, await self.holds(keys, trace_id), self.limits)
        answer = await self.connections.twice(lambda: self.scripts.run("end", call.keys, call.argv))
        return bool(answer == 1)

    async def run(self, verb: str, call: Call) -> Any:  # noqa: ANN401 - a script's own answer
        """Run a script."""
        async with self.connections.errors():
            return await self.scripts.run(verb, call.keys, call.argv)

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

    async def read(self, command: Sequence[Word], streams: Mapping[str, Word], wait_s: float) -> Read:
        """Read streams that need no consumer group; see `Reads.read`."""
        async with self.connections.errors():
            return await self._read(command, streams, wait_s)

    async def read_group(self, consumers: str, consumer: str, streams: list[str], count: int, wait_s: float) -> Read:
        """Take entries that were never handed out."""
        command = ("XREADGROUP", "GROUP", consumers, consumer, "COUNT", count)
        unread = dict.fromkeys(streams, ">")
        return await self._healing(consumers, streams, lambda: self._read(command, unread, wait_s))

    async def healed(self, streams: list[str], consumers: str, verb: str, keys: list[str], args: Sequence[Any]) -> Any:  # noqa: ANN401 - a script's own answer
        """Run a script that needs the consumer group of some streams."""
        return await self._healing(consumers, streams, lambda: self.scripts.run(verb, keys, args))

    async def _read(self, command: Sequence[Word], streams: Mapping[str, Word], wait_s: float) -> Read:
        """Read, and notice where a server that was away has come back without what it held."""
        try:
            await self.epochs.check()
            return await self.connections.read(command, streams, wait_s)
        except BROKEN:
            self.epochs.doubt()
            raise

    async def _healing(self, consumers: str, streams: list[str], ask: Callable[[], Awaitable[T]]) -> T:
        """Ask what needs consumer groups, and create those that a flush or a lost failover took."""
        async with self.connections.errors():
            try:
                answer = await ask()
            except ResponseError as error:
                if not _lacks_group(error):
                    raise
                await self._heal(consumers, streams)
                answer = await ask()
            self._had_group.update((stream, consumers) for stream in streams)
            return answer

    async def _heal(self, consumers: str, streams: list[str]) -> None:
        """Create groups at 0, since what is in a stream is uncommitted."""
        for stream in streams:
            had_stream = await self.connections.commands.exists(stream)
            is_new = await self._create_group(stream, consumers)
            if is_new and (stream, consumers) in self._had_group:
                _log.warning(
                    "group_created_again",
                    address=self.connections.address,
                    stream=stream,
                    consumers=consumers,
                    lost="nothing: what was not committed is handed out again"
                    if had_stream
                    else "the stream's entries",
                )
        self.epochs.doubt()
        await self.epochs.check()

    async def _create_group(self, stream: str, consumers: str) -> bool:
        try:
            await self.connections.commands.xgroup_create(stream, consumers, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
            return False
        return True


def _lacks_group(error: ResponseError) -> bool:
    """Tell a missing group, or a stream that was deleted under a read that blocked."""
    text = str(error)
    return "NOGROUP" in text or "UNBLOCKED the stream" in text


def by_partition(values: Sequence[T], partition: Callable[[T], int]) -> dict[int, list[int]]:
    """Give, for each partition, the positions of its values."""
    positions: defaultdict[int, list[int]] = defaultdict(list)
    for position, value in enumerate(values):
        positions[partition(value)].append(position)
    return positions
