"""Looks into a test's Redis past the bus: how long a stream is."""

from collections.abc import Awaitable, Callable

from redis.asyncio import Redis


def is_length(url: str, stream: str, length: int) -> Callable[[], Awaitable[bool]]:
    """Make the condition that a stream has so many entries."""

    async def holds() -> bool:
        async with Redis.from_url(url) as redis:
            return bool(await redis.xlen(stream) == length)

    return holds
