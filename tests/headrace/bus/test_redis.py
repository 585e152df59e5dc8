import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from headrace.bus.protocol import Bus
from headrace.bus.redis.bus import RedisBus
from headrace.testing.bus_contract import IN
from headrace.testing.lane_contract import LaneContract


class TestRedisBus(LaneContract):
    partitions = 1
    opened = 0

    @pytest.fixture(autouse=True)
    def _place(self, redis_url: str, namespace: str) -> None:
        self.url, self.namespace = redis_url, namespace

    def open_bus(self) -> AbstractAsyncContextManager[Bus]:
        @asynccontextmanager
        async def opened() -> AsyncIterator[Bus]:
            self.opened += 1
            bus = RedisBus(self.url, namespace=f"{self.namespace}-{self.opened}", partitions=self.partitions)
            try:
                yield bus
            finally:
                await bus.aclose()

        return opened()

    async def test_a_cancelled_call_is_cancelled_wherever_the_cancellation_meets_it(self) -> None:
        async def call_for_ever(bus: Bus) -> None:
            while True:
                await bus.promote(IN, limit=1)

        lost = 0
        async with self.open_bus() as bus:
            for number in range(200):
                calling = asyncio.create_task(call_for_ever(bus))
                for _ in range(number % 20):  # rounds of the loop: another point of the call each time
                    await asyncio.sleep(0)
                calling.cancel()
                await asyncio.wait([calling], timeout=0.2)
                lost += not calling.done()
                while not calling.done():
                    calling.cancel()
                    await asyncio.wait([calling], timeout=0.01)
        assert lost == 0


class TestRedisBusOverPartitions(TestRedisBus):
    partitions = 3
