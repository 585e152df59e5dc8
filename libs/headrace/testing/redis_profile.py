"""A Redis bus for one test, in a namespace of its own that is deleted with it. Needs `headrace[redis]`."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from headrace.bus.redis.bus import RedisBus
from headrace.bus.redis.purge import delete_namespace
from headrace.kernel.clock import random_bytes

_NAME_BYTES = 6


@asynccontextmanager
async def redis_profile(url: str) -> AsyncGenerator[RedisBus]:
    """Open a bus; nothing of it is left when the context closes.

    Raises:
        BusUnavailableError: No Redis answers there.
    """
    namespace = f"headrace-test-{random_bytes(_NAME_BYTES).hex()}"
    bus = RedisBus(url, namespace=namespace)
    try:
        yield bus
    finally:
        await bus.aclose()
        await delete_namespace(url, namespace)
