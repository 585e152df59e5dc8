from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from headrace.bus.protocol import Bus
from headrace.bus.redis.bus import RedisBus
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


class TestRedisBusOverPartitions(TestRedisBus):
    partitions = 3
