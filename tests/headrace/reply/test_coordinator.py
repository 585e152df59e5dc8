"""The reply coordinator: every terminal event delivered or dropped once, counted, whatever the bus does meanwhile."""

import asyncio

import pytest
from tests.headrace.reply.running import finish, running, start

from headrace.bus.memory.bus import MemoryBus
from headrace.bus.protocol import Bus
from headrace.reply.coordinator import ReplyCoordinator
from headrace.testing.bus_contract import trace
from headrace.testing.faulty_bus import Fault, FaultyBus
from headrace.testing.wait import wait_until


async def inbox(bus: Bus, name: str) -> list[str]:
    return [event.trace_id for event in await bus.read_inbox(name, limit=100, wait_s=0)]


async def test_an_event_goes_to_every_inbox_that_waits_for_its_run_and_to_no_other() -> None:
    bus = MemoryBus()
    coordinator = ReplyCoordinator(bus, "reply")
    one, two, nobody = trace(), trace(), trace()
    await start(bus, one, inbox="a")
    await start(bus, two, inbox="a")
    await bus.watch(two, "b")
    await start(bus, nobody)
    async with running(bus, coordinator):
        for trace_id in (one, two, nobody):
            await finish(bus, trace_id)
        await wait_until(lambda: coordinator.counts.total() >= 3, description="all are dealt with")

    assert (await inbox(bus, "a"), await inbox(bus, "b")) == ([one, two], [two])
    assert await bus.waiters([one, two]) == [(), ()]
    assert +coordinator.counts == {"delivered": 2, "without_waiter": 1}


async def test_what_another_coordinator_has_dealt_with_is_counted_and_not_delivered_again() -> None:
    memory, trace_id = MemoryBus(), trace()
    bus = FaultyBus(memory)
    coordinator = ReplyCoordinator(bus, "reply")
    await start(bus, trace_id, inbox="a")
    bus.fail("deliver", Fault.AFTER)  # it was carried out, which looks the same as another one having done so
    async with running(bus, coordinator):
        await finish(bus, trace_id)
        await wait_until(lambda: coordinator.counts["dealt_elsewhere"] == 1, description="it is counted")
    assert await inbox(bus, "a") == [trace_id]


@pytest.mark.parametrize("method", ["read_replies", "waiters", "deliver"])
async def test_a_bus_that_is_away_for_some_calls_loses_no_event_and_does_not_stop_the_coordinator(method: str) -> None:
    bus = FaultyBus(MemoryBus())
    coordinator = ReplyCoordinator(bus, "reply")
    first, second = trace(), trace()
    bus.fail(method, Fault.BEFORE)
    async with running(bus, coordinator):
        for trace_id in (first, second):
            await start(bus, trace_id, inbox="a")
            await finish(bus, trace_id)
        await wait_until(lambda: coordinator.counts["delivered"] == 2, description="both are delivered")
    assert await inbox(bus, "a") == [first, second]


async def test_reading_is_what_its_liveness_goes_by() -> None:
    bus = FaultyBus(MemoryBus())
    coordinator = ReplyCoordinator(bus, "reply")
    bus.fail("read_replies", Fault.BEFORE)
    started_s = asyncio.get_running_loop().time()
    async with running(bus, coordinator):
        await wait_until(lambda: bus.calls["read_replies"] == 1, description="it has read in vain")
        in_vain_s = coordinator.read_s
        await start(bus, trace_id := trace())
        await finish(bus, trace_id)
        await wait_until(lambda: coordinator.counts["without_waiter"] == 1, description="it has read")
    assert started_s <= in_vain_s < coordinator.read_s


async def test_stopping_before_the_start_is_legal_and_running_then_ends_at_once() -> None:
    coordinator = ReplyCoordinator(MemoryBus(), "reply")
    coordinator.stop()
    coordinator.stop()
    await coordinator.run()
    assert coordinator.counts == {}


async def test_a_coordinator_can_be_stopped_while_the_bus_is_away() -> None:
    bus, trace_id = FaultyBus(MemoryBus()), trace()
    coordinator = ReplyCoordinator(bus, "reply")
    bus.fail("deliver", *[Fault.BEFORE] * 1000)
    async with running(bus, coordinator):
        await start(bus, trace_id, inbox="a")
        await finish(bus, trace_id)
        await wait_until(lambda: bus.calls["deliver"] > 0, description="it has tried")
    assert await inbox(bus, "a") == []
