"""The Redis bus for the reply coordinator and for whoever waits: `bus.protocol.Replies`."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from headrace.bus.redis import calls
from headrace.bus.redis.entries import terminal_event
from headrace.bus.redis.server import Server, by_partition
from headrace.ledger.values import TerminalEvent
from headrace.wire.trace import partition_of

COORDINATORS = "coordinators"
_FORGET_BYTES = 65_536  # of results that were read and are still in an inbox
_ENTRY_BYTES = 256  # of one beside its result, about
_MS = 1000
_REPLY_LEASE_MS = 2_000  # a coordinator holds an event for one round trip; after this its reader is taken for dead


class RedisReplies:
    """Hands terminal events to the coordinator, and by it to inboxes.

    Args:
        server: Shared with the other parts.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._inbox_cursors: dict[str, bytes] = {}
        self._inbox_read: defaultdict[str, list[bytes]] = defaultdict(list)
        self._inbox_bytes: Counter[str] = Counter()
        self._claim_at_s = 0.0
        self._losses = 0

    async def read_replies(self, consumer: str, *, limit: int, wait_s: float) -> list[TerminalEvent]:
        events = await self._claim_replies(consumer, limit)
        if events:
            return events
        streams = {keys.replies: partition for partition, keys in self._server.some_partitions(limit)}
        raw = await self._server.read_group(
            COORDINATORS, consumer, list(streams), max(1, limit // len(streams)), wait_s
        )
        return [
            terminal_event(streams[name.decode()], entry_id, fields)
            for name, entries in raw
            for entry_id, fields in entries
            if fields is not None
        ]

    async def waiters(self, trace_ids: Sequence[str]) -> list[tuple[str, ...]]:
        found: list[tuple[str, ...]] = [()] * len(trace_ids)
        for partition, positions in by_partition(trace_ids, partition_of).items():
            async with self._server.connections.errors():
                raw: list[Any] = await self._server.connections.commands.hmget(
                    self._server.keys[partition].waiters, [trace_ids[position] for position in positions]
                )
            for position, inboxes in zip(positions, raw, strict=True):
                found[position] = tuple(inboxes.decode().split(",")) if inboxes else ()
        return found

    async def deliver(self, matches: Sequence[tuple[TerminalEvent, tuple[str, ...]]]) -> int:
        delivered = 0
        for partition, positions in by_partition(matches, lambda match: match[0].partition).items():
            chosen = [matches[position] for position in positions]
            call = calls.deliver_call(self._server.keys[partition], chosen, COORDINATORS)
            delivered += await self._server.run("deliver", call)
        return delivered

    async def read_inbox(self, inbox: str, *, limit: int, wait_s: float) -> list[TerminalEvent]:
        streams = {keys.inbox(inbox): partition for partition, keys in enumerate(self._server.keys)}
        if self._inbox_bytes[inbox] >= _FORGET_BYTES:
            await self._forget_read(inbox, streams)
        if self._losses != self._server.epochs.losses:  # what the cursors stand for is gone, perhaps with its clock
            self._losses = self._server.epochs.losses
            self._inbox_cursors.clear()
        seen = {stream: self._inbox_cursors.get(stream, b"0") for stream in streams}
        raw = await self._server.read(("XREAD", "COUNT", limit), seen, wait_s)
        if not raw:
            await self._forget_read(inbox, streams)
        for name, entries in raw:
            self._inbox_cursors[name.decode()] = entries[-1][0]
            self._inbox_read[name.decode()] += [entry_id for entry_id, _ in entries]
            self._inbox_bytes[inbox] += sum(_ENTRY_BYTES + len(fields[-1]) for _, fields in entries if fields)
        return [
            terminal_event(streams[name.decode()], entry_id, fields)
            for name, entries in raw
            for entry_id, fields in entries
            if fields is not None
        ]

    async def _claim_replies(self, consumer: str, limit: int) -> list[TerminalEvent]:
        """Take over, once a lease, what a coordinator that died had read."""
        now_s = time.monotonic()
        if now_s < self._claim_at_s:
            return []
        self._claim_at_s = now_s + _REPLY_LEASE_MS / _MS
        return [
            terminal_event(partition, entry_id, fields)
            for partition, keys in enumerate(self._server.keys)
            for entry_id, _, fields in await self._server.claim(
                keys.replies, COORDINATORS, consumer, limit, _REPLY_LEASE_MS
            )
        ]

    async def _forget_read(self, inbox: str, streams: Iterable[str]) -> None:
        """Delete what was read of an inbox, now and then and when it is quiet: the cursor is past it."""
        del self._inbox_bytes[inbox]
        for stream in streams:
            read = self._inbox_read.pop(stream, None)
            if read:
                async with self._server.connections.errors():
                    await self._server.connections.commands.xdel(stream, *read)
