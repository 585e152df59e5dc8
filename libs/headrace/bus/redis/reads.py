"""Reads of streams that wait for the first entry: one command where one server has all streams, else one a hash tag.

On a cluster each tag's streams are first read without waiting, all at once. Where none has anything, a read of each
blocks; when one has something the others are told to return (CLIENT UNBLOCK), which they do with what they got by
then. So a call leaves no read behind that takes entries nobody asked for, and loses none.
"""

import asyncio
from collections.abc import Mapping, Sequence

from redis.exceptions import RedisError

from headrace.bus.redis.entries import RawEntry
from headrace.bus.redis.lines import Word
from headrace.bus.redis.nodes import BLOCK_GRACE_S, MAX_BLOCK_S, Nodes
from headrace.bus.redis.routes import Routes
from headrace.bus.redis.topology import Topology
from headrace.bus.redis.url import Address

Read = list[tuple[bytes, list[RawEntry]]]

_MS = 1000
_UNBLOCK_AGAIN_S = 0.01  # a read may be told before it has reached its server


class Blocked:
    """A read that blocks on a server; both are known once it is on its way."""

    at: Address | None = None
    client_id = 0


class Reads:
    """Reads streams.

    Args:
        routes: Finds the server of a stream.
        topology: Says whether streams may be on several servers.
        nodes: The connections.
    """

    def __init__(self, routes: Routes, topology: Topology, nodes: Nodes) -> None:
        self._routes = routes
        self._topology = topology
        self._nodes = nodes

    async def read(self, command: Sequence[Word], streams: Mapping[str, Word], wait_s: float) -> Read:
        """Read streams; gives each one's entries, and leaves out streams without any.

        Args:
            command: XREAD or XREADGROUP with its options up to COUNT.
            streams: After which id to read each.
            wait_s: Seconds to wait for the first entry, `MAX_BLOCK_S` at most; 0 does not wait.
        """
        each = _by_slot(streams) if self._topology.is_split else [dict(streams)]
        if len(each) == 1:
            return await self._one(command, each[0], wait_s, Blocked())
        now = await asyncio.gather(*(self._tried(command, one, 0, Blocked()) for one in each))
        found = _together(now)
        if found or wait_s <= 0:
            return found
        return _together(await self._first(command, each, wait_s))

    async def _first(
        self, command: Sequence[Word], each: list[dict[str, Word]], wait_s: float
    ) -> list[Read | Exception]:
        """Wait for all; the first to end ends the others."""
        blocked = [Blocked() for _ in each]
        async with asyncio.TaskGroup() as tasks:
            reads = {
                tasks.create_task(self._tried(command, one, wait_s, it)): it
                for one, it in zip(each, blocked, strict=True)
            }
            _, pending = await asyncio.wait(reads, return_when=asyncio.FIRST_COMPLETED)
            while pending:
                for read in pending:
                    await self._unblock(reads[read])
                _, pending = await asyncio.wait(pending, timeout=_UNBLOCK_AGAIN_S)
        return [read.result() for read in reads]

    async def _unblock(self, read: Blocked) -> None:
        if read.at is not None:
            try:
                await self._nodes.ask(read.at, "CLIENT", "UNBLOCK", read.client_id)
            except (RedisError, OSError):
                await asyncio.sleep(0)  # its server is away: the read itself fails, or ends by its time-out

    async def _tried(
        self, command: Sequence[Word], streams: Mapping[str, Word], wait_s: float, blocked: Blocked
    ) -> Read | Exception:
        """Read, and give an error back as a value: it must not cut off a read beside it that has entries."""
        try:
            return await self._one(command, streams, wait_s, blocked)
        except (RedisError, OSError) as error:
            return error

    async def _one(self, command: Sequence[Word], streams: Mapping[str, Word], wait_s: float, blocked: Blocked) -> Read:
        words = (*command, *_block(wait_s), "STREAMS", *streams, *streams.values())

        async def ask(at: Address, asking: bool) -> Read:  # noqa: FBT001 - as `follow` calls it
            try:
                async with self._nodes.reading(at) as line:
                    if self._topology.is_split and wait_s > 0:
                        blocked.client_id = await line.ask("CLIENT", "ID", within_s=BLOCK_GRACE_S)
                        blocked.at = at
                    if asking:
                        await line.ask("ASKING", within_s=BLOCK_GRACE_S)
                    return await line.ask(*words, within_s=min(wait_s, MAX_BLOCK_S) + BLOCK_GRACE_S) or []
            finally:
                blocked.at = None  # its number may be another read's from now on

        return await self._routes.follow(next(iter(streams)), ask)


def _by_slot(streams: Mapping[str, Word]) -> list[dict[str, Word]]:
    """Part streams by their hash tag, so that those of one command lie in one slot."""
    parts: dict[str, dict[str, Word]] = {}
    for stream, after in streams.items():
        parts.setdefault(stream.partition("}")[0], {})[stream] = after
    return list(parts.values())


def _together(reads: Sequence[Read | Exception]) -> Read:
    """Give what was read; an error only where nothing was, it will come again."""
    found = [stream for read in reads if not isinstance(read, Exception) for stream in read]
    errors = [read for read in reads if isinstance(read, Exception)]
    if errors and not found:
        raise errors[0]
    return found


def _block(wait_s: float) -> tuple[str | int, ...]:
    # a BLOCK of 0 would wait for ever
    return ("BLOCK", max(1, int(min(wait_s, MAX_BLOCK_S) * _MS))) if wait_s > 0 else ()
