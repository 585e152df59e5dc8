import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from headrace.bus.memory.bus import MemoryBus
from headrace.bus.memory.listeners import Listeners
from headrace.bus.memory.sleepers import Sleepers
from headrace.bus.protocol import Bus
from headrace.ledger.values import Answer, Emit
from headrace.testing.bus_contract import DONE, IN, NEXT, commit, in_flight, match, read, submission, trace
from headrace.testing.clock import ManualClock
from headrace.testing.event_contract import EventContract
from headrace.testing.join_contract import JoinContract
from headrace.testing.lane_contract import LaneContract
from headrace.testing.load_contract import LoadContract
from headrace.testing.roster_contract import RosterContract
from headrace.testing.run_contract import RunContract

CHANNEL = ("stream", IN)


class TestMemoryBus(LaneContract, JoinContract, LoadContract, RunContract, EventContract, RosterContract):
    def open_bus(self) -> AbstractAsyncContextManager[Bus]:
        @asynccontextmanager
        async def opened() -> AsyncIterator[Bus]:
            bus = MemoryBus()
            try:
                yield bus
            finally:
                await bus.aclose()

        return opened()


async def ended_run(bus: MemoryBus, *, inbox: str = "") -> str:
    trace_id = trace()
    await bus.submit([submission(trace_id, inbox=inbox)])
    (delivery,) = await read(bus, IN)
    await bus.commit(IN, [commit(delivery, trace_id, terminal=DONE)])
    return trace_id


async def test_a_terminal_event_whose_reader_died_is_handed_out_again_after_its_lease() -> None:
    clock = ManualClock()
    bus = MemoryBus(clock=clock)
    first, second = await ended_run(bus), await ended_run(bus)
    (dead_readers,) = await bus.read_replies("a", limit=1, wait_s=0)
    assert [event.trace_id for event in await bus.read_replies("b", limit=10, wait_s=0)] == [second]
    clock.advance(2)
    again, _ = await bus.read_replies("b", limit=10, wait_s=0)
    assert (again.trace_id, again) == (first, dead_readers)
    assert await bus.deliver([(again, ())]) == 1
    assert await bus.deliver([(dead_readers, ())]) == 0


async def test_an_inbox_that_nobody_reads_is_forgotten_and_one_that_is_read_stays() -> None:
    clock = ManualClock()
    bus = MemoryBus(clock=clock)
    await ended_run(bus, inbox="dead")
    kept = await ended_run(bus, inbox="live")
    await match(bus)
    clock.advance(3599)
    assert [event.trace_id for event in await bus.read_inbox("live", limit=1, wait_s=0)] == [kept]
    clock.advance(1)
    last = await ended_run(bus, inbox="live")
    await match(bus)
    assert [event.trace_id for event in await bus.read_inbox("live", limit=2, wait_s=0)] == [last]
    assert await bus.read_inbox("dead", limit=1, wait_s=0) == []


async def test_what_another_life_of_the_bus_handed_out_is_fenced() -> None:
    trace_id, former, bus = trace(), MemoryBus(), MemoryBus()
    for life in (former, bus):
        await life.submit([submission(trace_id)])
    (delivery,) = await read(former, IN)
    await read(bus, IN)
    assert await bus.commit(IN, [commit(delivery, trace_id, Emit(NEXT, b"x"))]) == [[Answer.FENCED]]
    assert await in_flight(bus, trace_id) == 1
    assert await bus.backlog(NEXT) == 0


async def test_of_several_readers_that_wait_one_is_woken_and_leaves_the_rest_to_the_next() -> None:
    bus = MemoryBus()
    reads = [asyncio.create_task(bus.read(IN, name, limit=2, wait_s=5)) for name in "abc"]
    await asyncio.sleep(0)
    await bus.submit([submission(trace()) for _ in range(3)])
    done, waiting = await asyncio.wait(reads, timeout=0.05)
    assert sorted(len(read.result()) for read in done) == [1, 2]
    assert len(waiting) == 1
    await bus.aclose()
    assert await waiting.pop() == []


async def test_a_reader_that_is_cancelled_as_it_wakes_up_wakes_the_next() -> None:
    bus = MemoryBus()
    first, second = (asyncio.create_task(bus.read(IN, name, limit=2, wait_s=5)) for name in "ab")
    await asyncio.sleep(0)
    await bus.submit([submission(trace())])
    first.cancel()
    assert len(await second) == 1
    assert first.cancelled()


async def test_nobody_who_waited_is_remembered() -> None:
    sleepers = Sleepers()
    waits = [asyncio.create_task(sleepers.wait(CHANNEL, wait_s)) for wait_s in (0, 0.001, 5)]
    await asyncio.wait(waits, timeout=0.05)
    sleepers.wake(CHANNEL)
    assert [await wait for wait in waits] == [False, False, True]
    assert not sleepers._waiting


async def test_a_listener_that_has_been_silent_keeps_nobody_waiting() -> None:
    listeners = Listeners()
    listeners.begin("dead", [])
    listeners.begin("live", [])
    listeners._listeners["dead"].asked_s -= 5
    listeners.tell("run")
    hearing = asyncio.create_task(listeners.have_heard())
    await asyncio.sleep(0)
    assert listeners.has_news("live")
    assert listeners.take("live") == ["run"]
    assert not hearing.done()
    listeners.has_news("live")
    async with asyncio.timeout(1):
        await hearing
    listeners._listeners["dead"].asked_s -= 60
    listeners.tell("run")
    assert not listeners.knows("dead")
