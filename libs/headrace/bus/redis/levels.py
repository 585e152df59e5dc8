"""What stands in a group's streams, over all partitions; read without an entry's payload where that can be."""

from typing import Any

from redis.exceptions import ResponseError

from headrace.bus.redis.keys import Keys
from headrace.bus.redis.server import Server
from headrace.ledger.level import Level

_US = 1_000_000
_MS = 1000


async def level_of(server: Server, group: str, workers: str) -> Level:
    """Look at a group's streams.

    Args:
        workers: The consumer group that reads them.
    """
    backlog = dead = 0
    oldest_ms = 0
    commands = server.connections.commands
    async with server.connections.errors():
        seconds, microseconds = await commands.time()
        for keys in server.keys:
            length = await commands.xlen(keys.stream(group))
            backlog += length
            dead += await commands.xlen(keys.dead(group))
            first_ms = await _first_ms(server, keys, group, workers) if length else 0
            oldest_ms = min(oldest_ms or first_ms, first_ms or oldest_ms)
    now_ms = (int(seconds) * _US + int(microseconds)) // _MS
    return Level(backlog, max(0, now_ms - oldest_ms) / _MS if oldest_ms else 0.0, dead)


async def _first_ms(server: Server, keys: Keys, group: str, workers: str) -> int:
    """Give when the first entry came: what is in flight came before what waits, and tells it without its payload."""
    stream, commands = keys.stream(group), server.connections.commands
    try:
        pending: Any = await commands.xpending(stream, workers)
    except ResponseError as error:
        if not str(error).startswith("NOGROUP"):
            raise
        pending = {}  # no worker has read yet
    first = pending.get("min")
    if first is None:
        entries: Any = await commands.xrange(stream, count=1)
        first = entries[0][0] if entries else None
    return int(first.decode().partition("-")[0]) if first is not None else 0
