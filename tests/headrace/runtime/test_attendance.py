"""Pausing a group: its workers take nothing, finish what they have, and hear when it goes on; the same on every bus."""

import asyncio

import pytest
from msgspec import Struct
from tests.support.buses import KINDS, bus_of

from headrace import Pipe
from headrace.bus.memory.bus import MemoryBus
from headrace.bus.protocol import Bus
from headrace.runtime.compose import connected, consuming, coordinating
from headrace.runtime.consumer import ConsumerOptions
from headrace.testing.faulty_bus import Fault, FaultyBus
from headrace.testing.wait import wait_until
from headrace.wire.envelope import Framing

LONG_S = 30.0
OFTEN = ConsumerOptions(attend_every_s=0.01)


class Ask(Struct):
    number: int


class Told(Struct):
    number: int


class Doors:
    """A pipe whose node waits until it is let go."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.go_on = asyncio.Event()
        pipe = Pipe("doors")

        @pipe.node(group="hall")
        async def hold(ask: Ask) -> Told:
            self.begun.append(ask.number)
            await self.go_on.wait()
            return Told(ask.number)

        self.plan = pipe.compile()
        self.group = self.plan.stream("hall")


async def rests(bus: Bus) -> bool:
    return [each.is_resting for each in await bus.present(within_s=LONG_S)] == [True]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_a_paused_groups_worker_finishes_what_it_has_takes_nothing_and_goes_on_when_resumed(
    kind: str, redis_url: str, namespace: str
) -> None:
    doors = Doors()
    async with (
        bus_of(kind, redis_url, namespace) as bus,
        consuming(doors.plan, bus, Framing(), ("hall",), options=OFTEN),
        coordinating(bus),
        connected(doors.plan, bus, Framing()) as client,
    ):
        first = await client.submit(Ask(1))
        await wait_until(lambda: doors.begun == [1], description="the first is in hand")
        assert await bus.pause(doors.group)
        await wait_until(lambda: rests(bus), description="the worker rests")
        second = await client.submit(Ask(2))
        [presence] = await bus.present(within_s=LONG_S)
        assert (presence.group, presence.in_flight, presence.slots > 1) == (doors.group, 1, True)
        doors.go_on.set()
        assert client.result(first, await client.wait(first, LONG_S)) == Told(1)
        assert (doors.begun, await bus.backlog(doors.group)) == ([1], 1)
        assert await bus.resume(doors.group)
        assert client.result(second, await client.wait(second, LONG_S)) == Told(2)


async def test_a_worker_that_starts_in_a_paused_group_takes_nothing() -> None:
    doors, bus = Doors(), FaultyBus(MemoryBus())
    doors.go_on.set()
    await bus.pause(doors.group)
    async with (
        consuming(doors.plan, bus, Framing(), ("hall",), options=OFTEN),
        connected(doors.plan, bus, Framing()) as client,
    ):
        await client.submit(Ask(1))
        await wait_until(lambda: rests(bus), description="the worker rests")
        assert bus.calls["read"] == bus.calls["claim"] == 0
        await bus.resume(doors.group)
        await wait_until(lambda: doors.begun == [1], description="it goes on")
    assert await bus.present(within_s=LONG_S) == []


async def test_a_bus_that_is_away_pauses_nobody_and_resumes_nobody() -> None:
    doors, bus = Doors(), FaultyBus(MemoryBus())
    doors.go_on.set()
    bus.fail("attend", None, Fault.BEFORE, Fault.AFTER)
    bus.fail("depart", Fault.BEFORE)
    async with (
        consuming(doors.plan, bus, Framing(), ("hall",), options=OFTEN),
        connected(doors.plan, bus, Framing()) as client,
    ):
        await client.submit(Ask(1))
        await wait_until(lambda: bus.calls["attend"] >= 3, description="it was away")
        await wait_until(lambda: doors.begun == [1], description="the worker goes on")
