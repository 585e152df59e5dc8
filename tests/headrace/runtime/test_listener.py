"""The listener: what was abandoned is known before work begins, heard of while it goes on, and confirmed (I8)."""

import asyncio
from collections.abc import Sequence

import pytest

from headrace.bus.memory.bus import MemoryBus
from headrace.ledger.terminal import cancelled
from headrace.runtime.compose import beside
from headrace.runtime.listener import Listener
from headrace.testing.bus_contract import submission, trace
from headrace.testing.faulty_bus import Fault, FaultyBus
from headrace.testing.wait import wait_until


class Heard:
    def __init__(self) -> None:
        self.traces: list[str] = []

    def abandon(self, trace_ids: Sequence[str]) -> None:
        self.traces.extend(trace_ids)


async def test_what_was_abandoned_before_is_known_when_reading_may_begin() -> None:
    bus, heard, trace_id = MemoryBus(), Heard(), trace()
    await bus.submit([submission(trace_id)])
    await bus.end(trace_id, cancelled())
    listener = Listener(bus, "one", heard.abandon)
    assert not listener.is_open()
    async with beside(bus, listener):
        await listener.opened()
        assert heard.traces == [trace_id]


async def test_a_cancel_answers_when_the_listener_has_dealt_with_it() -> None:
    bus, heard, trace_id = MemoryBus(), Heard(), trace()
    await bus.submit([submission(trace_id)])
    listener = Listener(bus, "one", heard.abandon)
    async with beside(bus, listener):
        await listener.opened()
        assert heard.traces == []
        assert await bus.end(trace_id, cancelled())
        assert heard.traces == [trace_id]


@pytest.mark.parametrize("fault", list(Fault))
async def test_a_bus_that_is_away_is_asked_again(fault: Fault) -> None:
    bus, heard, trace_id = FaultyBus(MemoryBus()), Heard(), trace()
    bus.fail("abandoned", Fault.BEFORE, None, fault)
    await bus.submit([submission(trace_id)])
    async with beside(bus, Listener(bus, "one", heard.abandon)):
        await wait_until(lambda: bus.calls["abandoned"] >= 4, description="it was away and is back")
        await asyncio.wait_for(bus.end(trace_id, cancelled()), 2)
        assert heard.traces == [trace_id]


async def test_the_gate_closes_when_this_process_may_be_taken_for_dead_and_opens_by_a_new_answer() -> None:
    bus, heard, trace_id = FaultyBus(MemoryBus()), Heard(), trace()
    await bus.submit([submission(trace_id)])
    listener = Listener(bus, "one", heard.abandon, sure_s=0.05)
    bus.fail("abandoned", None, *[Fault.BEFORE] * 2)
    async with beside(bus, listener):
        await listener.opened()
        await wait_until(lambda: not listener.is_open(), description="it has been silent")
        assert bus.calls["abandoned"] <= 2, "no answer has come since"
        ending = asyncio.create_task(bus.end(trace_id, cancelled()))
        await listener.opened()
        assert heard.traces == [trace_id]
        assert await ending


@pytest.mark.parametrize("fault", [None, Fault.BEFORE])
async def test_nobody_waits_for_a_listener_that_has_stopped(fault: Fault | None) -> None:
    bus, heard, trace_id = FaultyBus(MemoryBus()), Heard(), trace()
    bus.fail("unlisten", fault)
    await bus.submit([submission(trace_id)])
    async with beside(bus, Listener(bus, "one", heard.abandon)):
        await wait_until(lambda: bus.calls["abandoned"] >= 1, description="it listens")
    assert bus.calls["unlisten"] == 1
    await asyncio.wait_for(bus.end(trace_id, cancelled()), 2 if fault is None else 10)
    assert heard.traces == []


async def test_stopping_before_the_start_is_legal() -> None:
    listener = Listener(MemoryBus(), "one", Heard().abandon)
    listener.stop()
    listener.stop()
    await listener.run()
    assert not listener.is_open()
