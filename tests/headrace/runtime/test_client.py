"""What a client does to runs that are under way: cancel them, give them signals. The same on memory and on Redis."""

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest
from msgspec import Struct
from tests.support.buses import KINDS, bus_of

from headrace.bus.protocol import Bus
from headrace.errors import InvalidMessageError, RunCancelledError, UnknownRunError, UnknownSignalError
from headrace.graph.options import Signal, Suspend
from headrace.graph.pipe import Pipe
from headrace.ledger.values import RunState
from headrace.runtime.compose import connected, consuming, coordinating
from headrace.testing.wait import wait_until
from headrace.wire.envelope import Framing

UNKNOWN = ("0" * 32, "none")


class Ask(Struct):
    text: str = ""


class Seen(Struct):
    text: str = ""


class Told(Struct):
    text: str = ""


class Approval(Struct):
    by: str


class Steps:
    """A pipe of steps that follow one another in one process, then over the bus; each notes that it was called."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.gate = asyncio.Event()
        self.thread_gate = threading.Event()

    def awaiting(self) -> Pipe:
        pipe = Pipe("steps")

        @pipe.node(group="one")
        async def first(ask: Ask) -> Seen:
            self.calls.append("first")
            await self.gate.wait()
            return Seen()

        self._then(pipe)
        return pipe

    def in_a_thread(self) -> Pipe:
        pipe = Pipe("steps")

        @pipe.node(group="one")
        def first(ask: Ask) -> Seen:
            self.calls.append("first")
            self.thread_gate.wait(30)
            return Seen()

        self._then(pipe)
        return pipe

    def _then(self, pipe: Pipe) -> None:
        @pipe.node(group="one")
        async def near(seen: Seen) -> None:
            self.calls.append("near")

        @pipe.node(group="two")
        async def far(seen: Seen) -> Told:
            self.calls.append("far")
            return Told()

    def open(self) -> None:
        self.gate.set()
        self.thread_gate.set()


def approved() -> Pipe:
    pipe = Pipe("approved")

    @pipe.node
    async def decide(ask: Ask, approval: Signal[Approval]) -> Told | Suspend:
        return Suspend("approval") if approval is None else Told(f"{ask.text} by {approval.by}")

    return pipe


@pytest.fixture(params=KINDS)
async def bus(request: pytest.FixtureRequest, redis_url: str, namespace: str) -> AsyncIterator[Bus]:
    async with bus_of(request.param, redis_url, namespace) as bus:
        yield bus


@pytest.mark.parametrize("kind", ["awaiting", "in_a_thread"])
async def test_after_a_cancel_has_answered_no_node_of_the_run_starts_in_any_process_i8(bus: Bus, kind: str) -> None:
    steps = Steps()
    plan = (steps.awaiting() if kind == "awaiting" else steps.in_a_thread()).compile()
    async with (
        consuming(plan, bus, Framing(), ("one",)) as (one,),
        consuming(plan, bus, Framing(), ("two",)) as (two,),
        coordinating(bus),
        connected(plan, bus, Framing()) as client,
    ):
        ((trace, future),) = await client.ask_all([Ask()])
        await wait_until(lambda: steps.calls == ["first"], description="its first node is called")
        assert await client.cancel(trace)
        steps.open()
        with pytest.raises(RunCancelledError):
            client.result(trace, await future)
        await wait_until(lambda: one.in_flight == 0, description="its hop has ended")
        assert one.counts["late"] == 1
        assert await bus.backlog("steps.two") == 0
    assert (steps.calls, two.counts["read"]) == (["first"], 0)


async def test_what_of_a_cancelled_run_is_still_in_a_stream_is_read_and_not_run_i8(bus: Bus) -> None:
    steps = Steps()
    plan = steps.awaiting().compile()
    async with connected(plan, bus, Framing()) as client:
        trace = await client.submit(Ask())
        assert await client.cancel(trace)
        async with consuming(plan, bus, Framing(), ("one",)) as (one,):
            await wait_until(lambda: one.counts["late"] == 1, description="it was read")
    assert (steps.calls, await bus.backlog("steps.one")) == ([], 0)


async def test_other_runs_go_on_when_one_is_cancelled(bus: Bus) -> None:
    steps = Steps()
    plan = steps.awaiting().compile()
    async with (
        consuming(plan, bus, Framing(), ("one", "two")),
        coordinating(bus),
        connected(plan, bus, Framing()) as client,
    ):
        (gone, _), (trace, future) = await client.ask_all([Ask(), Ask()])
        await wait_until(lambda: len(steps.calls) == 2, description="both have begun")
        assert await client.cancel(gone)
        steps.open()
        assert client.result(trace, await future) == Told()


async def test_a_run_that_has_ended_is_not_cancelled_and_an_unknown_one_is_said_to_be_so(bus: Bus) -> None:
    steps = Steps()
    plan = steps.awaiting().compile()
    async with connected(plan, bus, Framing()) as client:
        trace = await client.submit(Ask())
        assert await client.cancel(trace)
        assert not await client.cancel(trace)
        assert (view := await client.view(trace)) is not None
        assert view.terminal is not None
        assert view.terminal.state is RunState.CANCELLED
        for unknown in UNKNOWN:
            with pytest.raises(UnknownRunError):
                await client.cancel(unknown)


async def test_a_signal_lets_a_run_go_on_that_waits_for_it_and_the_first_one_stays(bus: Bus) -> None:
    plan = approved().compile()
    async with (
        consuming(plan, bus, Framing(), ("main",)) as (consumer,),
        coordinating(bus),
        connected(plan, bus, Framing()) as client,
    ):
        ((trace, future),) = await client.ask_all([Ask("loan")])
        await wait_until(lambda: consumer.counts["committed"] == 1, description="it is suspended")
        assert not future.done()
        assert await client.signal(trace, "approval", Approval("Ada"))
        assert client.result(trace, await future) == Told("loan by Ada")
        assert not await client.signal(trace, "approval", Approval("Bob"))


async def test_a_signal_that_comes_before_it_is_waited_for_is_there_then(bus: Bus) -> None:
    plan = approved().compile()
    async with coordinating(bus), connected(plan, bus, Framing()) as client:
        ((trace, future),) = await client.ask_all([Ask("loan")])
        assert await client.signal(trace, "approval", Approval("Ada"))
        assert not await client.signal(trace, "approval", Approval("Bob"))
        async with consuming(plan, bus, Framing(), ("main",)):
            assert client.result(trace, await future) == Told("loan by Ada")


async def test_a_signal_that_no_node_takes_is_refused_with_those_there_are(bus: Bus) -> None:
    async with connected(approved().compile(), bus, Framing()) as client:
        trace = await client.submit(Ask())
        with pytest.raises(UnknownSignalError, match=r"^pipe 'approved' has no signal 'aproval'; it has: approval$"):
            await client.signal(trace, "aproval", Approval("Ada"))
        with pytest.raises(InvalidMessageError, match=r"^invalid message for type 'Approval': it is a Told$"):
            await client.signal(trace, "approval", Told("Ada"))
        for unknown in UNKNOWN:
            with pytest.raises(UnknownRunError):
                await client.signal(unknown, "approval", Approval("Ada"))
