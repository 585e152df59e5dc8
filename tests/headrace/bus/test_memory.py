from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from headrace.bus.memory.bus import MemoryBus
from headrace.bus.protocol import Bus
from headrace.testing.join_contract import JoinContract
from headrace.testing.lane_contract import LaneContract
from headrace.testing.run_contract import RunContract


class TestMemoryBus(LaneContract, JoinContract, RunContract):
    def open_bus(self) -> AbstractAsyncContextManager[Bus]:
        @asynccontextmanager
        async def opened() -> AsyncIterator[Bus]:
            bus = MemoryBus()
            try:
                yield bus
            finally:
                await bus.aclose()

        return opened()
