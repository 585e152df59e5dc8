"""Channels work on asyncio and on trio; those over a bus on each bus."""

from collections.abc import AsyncGenerator

import pytest
from tests.support.leaks import assert_no_leaks

from headrace.bus.memory.bus import MemoryBus
from headrace.bus.redis.bus import RedisBus
from headrace.channels.port import ChannelBus


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def redis_bus(redis_url: str, namespace: str) -> AsyncGenerator[RedisBus]:
    bus = RedisBus(redis_url, namespace=namespace)
    yield bus
    await bus.aclose()
    assert_no_leaks(redis_url, namespace)


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.slow)])
def bus(request: pytest.FixtureRequest) -> ChannelBus:
    if request.param == "memory":
        return MemoryBus()
    redis: RedisBus = request.getfixturevalue("redis_bus")
    return redis
