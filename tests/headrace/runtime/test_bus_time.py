"""Keeping a process's clock by the bus, and deadlines that go by it whatever the host's clock says."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from msgspec import Struct
from tests.support.buses import KINDS, bus_of

from headrace.bus.memory.bus import MemoryBus
from headrace.bus.protocol import Bus
from headrace.errors import RunExpiredError
from headrace.graph.pipe import Pipe
from headrace.kernel.clock import BusClock, SystemClock
from headrace.runtime.bus_time import BusTime
from headrace.runtime.compose import beside, connected, consuming, coordinating
from headrace.runtime.submissions import Options
from headrace.testing.faulty_bus import Fault, FaultyBus
from headrace.testing.wait import wait_until
from headrace.wire.envelope import Framing

HOUR_S = 3600.0


class OffClock(SystemClock):
    """A host's clock that is wrong."""

    def __init__(self, off_s: float) -> None:
        self._off_s = off_s

    def now(self) -> float:
        return super().now() + self._off_s


class Ask(Struct):
    text: str


class Told(Struct):
    text: str


def pipe() -> Pipe:
    pipe = Pipe("timed")

    @pipe.node
    async def tell(ask: Ask) -> Told:
        return Told(ask.text)

    return pipe


def stuck() -> Pipe:
    pipe = Pipe("timed")

    @pipe.node
    async def tell(ask: Ask) -> Told:
        await asyncio.Event().wait()
        return Told(ask.text)

    return pipe


@pytest.fixture(params=KINDS)
async def bus(request: pytest.FixtureRequest, redis_url: str, namespace: str) -> AsyncIterator[Bus]:
    async with bus_of(request.param, redis_url, namespace) as bus:
        yield bus


@pytest.mark.parametrize("off_s", [HOUR_S, -HOUR_S])
async def test_the_clock_is_set_by_the_bus_within_a_round_trip(bus: Bus, off_s: float) -> None:
    clock = BusClock(OffClock(off_s))
    time = BusTime(bus, clock)
    async with beside(bus, time):
        await time.first()
        before_ms = await bus.now_ms()
        by_clock_ms = clock.now() * 1000
        after_ms = await bus.now_ms()
    assert before_ms - 1000 <= by_clock_ms <= after_ms + 1000


async def test_a_bus_that_is_away_is_asked_again_and_the_clock_is_set_then() -> None:
    bus = FaultyBus(MemoryBus())
    bus.fail("now_ms", Fault.BEFORE, Fault.AFTER)
    clock = BusClock(OffClock(HOUR_S))
    time = BusTime(bus, clock)
    async with beside(bus, time):
        await time.first()
    assert bus.calls["now_ms"] == 3
    assert abs(clock.now() - SystemClock().now()) < 10


async def test_the_clock_is_set_again_and_again() -> None:
    bus = FaultyBus(MemoryBus())
    async with beside(bus, BusTime(bus, BusClock(), every_s=0.001)):
        await wait_until(lambda: bus.calls["now_ms"] >= 3, description="it was set often")


async def test_stopping_before_the_start_is_legal() -> None:
    time = BusTime(MemoryBus(), BusClock())
    time.stop()
    time.stop()
    await time.run()
    assert not time.is_open()


@pytest.mark.parametrize(("caller_s", "worker_s"), [(HOUR_S, 0.0), (-HOUR_S, 0.0), (0.0, HOUR_S), (0.0, -HOUR_S)])
async def test_a_host_whose_clock_is_an_hour_off_expires_no_run(bus: Bus, caller_s: float, worker_s: float) -> None:
    plan = pipe().compile()
    async with (
        consuming(plan, bus, Framing(), ("main",), clock=OffClock(worker_s)),
        coordinating(bus),
        connected(plan, bus, Framing(), clock=OffClock(caller_s)) as client,
    ):
        assert await client.run(Ask("in time"), options=Options(timeout_s=20)) == Told("in time")


async def test_a_run_expires_while_its_node_is_stuck(bus: Bus) -> None:
    plan = stuck().compile()
    async with (
        consuming(plan, bus, Framing(), ("main",), clock=OffClock(HOUR_S)) as (consumer,),
        coordinating(bus),
        connected(plan, bus, Framing(), clock=OffClock(HOUR_S)) as client,
    ):
        with pytest.raises(RunExpiredError):
            await client.run(Ask("too late"), options=Options(timeout_s=0.3))
        await wait_until(lambda: consumer.in_flight == 0, description="its node was given up")
    assert (consumer.counts["expired"], consumer.counts["late"]) == (1, 1)
