"""The faulty bus: a real one but for the calls that were told to fail."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from headrace.bus.memory.bus import MemoryBus
from headrace.bus.protocol import Bus
from headrace.errors import BusUnavailableError
from headrace.ledger.values import Submitted
from headrace.testing.bus_contract import submission, trace
from headrace.testing.faulty_bus import Fault, FaultyBus
from headrace.testing.lane_contract import LaneContract


class TestFaultyBusWithoutFaults(LaneContract):
    def open_bus(self) -> AbstractAsyncContextManager[Bus]:
        @asynccontextmanager
        async def opened() -> AsyncGenerator[Bus]:
            bus = FaultyBus(MemoryBus())
            try:
                yield bus
            finally:
                await bus.aclose()

        return opened()


@pytest.mark.parametrize(("fault", "again"), [(Fault.BEFORE, Submitted.NEW), (Fault.AFTER, Submitted.KNOWN)])
async def test_a_call_fails_before_or_after_it_was_carried_out(fault: Fault, again: Submitted) -> None:
    bus, one = FaultyBus(MemoryBus()), submission(trace())
    bus.fail("submit", fault)
    with pytest.raises(BusUnavailableError, match="the bus at test cannot be reached: 'submit' was told to fail"):
        await bus.submit([one])
    assert await bus.submit([one]) == [again]
    assert bus.calls == {"submit": 2}


async def test_faults_come_in_the_order_given_and_other_calls_pass() -> None:
    bus = FaultyBus(MemoryBus())
    bus.fail("view", None, Fault.BEFORE)
    assert await bus.view(trace()) is None
    assert await bus.backlog("group") == 0
    with pytest.raises(BusUnavailableError):
        await bus.view(trace())
    assert await bus.view(trace()) is None
