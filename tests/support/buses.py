"""The buses that a test of what runs on any of them runs on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from headrace.bus.memory.bus import MemoryBus
from headrace.bus.protocol import Bus
from headrace.bus.redis.bus import RedisBus
from headrace.testing.tcp_profile import tcp_profile

KINDS = ("memory", "tcp", "redis")


@asynccontextmanager
async def bus_of(kind: str, redis_url: str, namespace: str) -> AsyncIterator[Bus]:
    if kind == "tcp":
        async with tcp_profile() as tcp:
            yield tcp
        return
    bus: Bus = MemoryBus() if kind == "memory" else RedisBus(redis_url, namespace=namespace)
    yield bus
    await bus.aclose()
