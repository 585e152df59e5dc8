"""A bus in another thread's event loop keeps the contract that it keeps in its own."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from headrace.bus.memory.bus import MemoryBus
from headrace.bus.protocol import Bus
from headrace.runtime.far_bus import far_bus
from headrace.testing.join_contract import JoinContract
from headrace.testing.lane_contract import LaneContract
from headrace.testing.run_contract import RunContract


class TestFarBus(LaneContract, JoinContract, RunContract):
    def open_bus(self) -> AbstractAsyncContextManager[Bus]:
        @asynccontextmanager
        async def opened() -> AsyncIterator[Bus]:
            home = asyncio.new_event_loop()
            thread = threading.Thread(target=home.run_forever)
            thread.start()
            try:
                yield far_bus(MemoryBus(), home)
            finally:
                home.call_soon_threadsafe(home.stop)
                await asyncio.to_thread(thread.join)
                home.close()

        return opened()
