"""The consumer of a group, over buses that fail where they are told to; the same on every bus."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import pytest
from msgspec import Struct
from tests.support.buses import KINDS, bus_of

from headrace import Drop, Gather, Pipe, Retry
from headrace.bus.protocol import Bus
from headrace.errors import RunFailedError
from headrace.ledger import dead_letter
from headrace.runtime.client import Client
from headrace.runtime.compose import connected, consuming, coordinating
from headrace.runtime.consumer import Consumer, ConsumerOptions
from headrace.testing.faulty_bus import Fault, FaultyBus
from headrace.testing.wait import wait_until
from headrace.wire.envelope import Framing

SHORT = ConsumerOptions(lease_s=0.15, promote_every_s=0.01)


class Ask(Struct):
    number: int


class Told(Struct):
    number: int
    calls: int


class Part(Struct):
    number: int


@dataclass
class Node:
    """The node under test: it waits for its gate, and counts its calls."""

    gate: asyncio.Event = field(default_factory=asyncio.Event)
    calls: int = 0
    under_way: int = 0
    most: int = 0

    def pipe(self) -> Pipe:
        pipe = Pipe("waits")

        @pipe.node(retry=Retry(attempts=2, backoff=0.01))
        async def wait(ask: Ask) -> Told | Drop:
            self.calls += 1
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            try:
                await self.gate.wait()
            finally:
                self.under_way -= 1
            if ask.number < 0:
                raise ValueError(ask.number)
            return Told(ask.number, self.calls)

        return pipe


@pytest.fixture(params=KINDS)
async def bus(request: pytest.FixtureRequest, redis_url: str, namespace: str) -> AsyncIterator[FaultyBus]:
    async with bus_of(request.param, redis_url, namespace) as bus:
        yield FaultyBus(bus)


@asynccontextmanager
async def running(bus: Bus, node: Node, *options: ConsumerOptions) -> AsyncIterator[tuple[Client, list[Consumer]]]:
    """A consumer for each of the options, a coordinator and a client."""
    plan = node.pipe().compile()
    async with AsyncExitStack() as stack:
        consumers: list[Consumer] = []
        for one in options:
            consumers += await stack.enter_async_context(consuming(plan, bus, Framing(), ("main",), options=one))
        await stack.enter_async_context(coordinating(bus))
        yield await stack.enter_async_context(connected(plan, bus, Framing())), consumers


def opened() -> Node:
    node = Node()
    node.gate.set()
    return node


async def test_a_commit_whose_answer_was_lost_is_asked_again_and_counts_once(bus: FaultyBus) -> None:
    bus.fail("commit", Fault.AFTER, Fault.BEFORE, Fault.AFTER)
    async with running(bus, opened(), ConsumerOptions()) as (client, (consumer,)):
        assert await client.run(Ask(1)) == Told(1, 1)
        assert await client.run(Ask(2)) == Told(2, 2)
        await wait_until(lambda: consumer.in_flight == 0, description="nothing is held")
    assert await bus.backlog("waits.main") == 0


async def test_a_bus_that_is_away_for_reads_and_chores_is_used_again_when_it_is_back(bus: FaultyBus) -> None:
    for method in ("read", "claim", "extend", "promote", "read_replies", "deliver", "read_inbox", "waiters"):
        bus.fail(method, Fault.BEFORE, Fault.BEFORE)
    async with running(bus, opened(), SHORT) as (client, _):
        assert await client.run(Ask(1)) == Told(1, 1)


async def test_no_more_is_under_way_than_there_are_slots(bus: FaultyBus) -> None:
    node = Node()
    async with running(bus, node, ConsumerOptions(slots=3)) as (client, (consumer,)):
        asked = await client.ask_all([Ask(number) for number in range(10)])
        await wait_until(lambda: node.calls == 3, description="the slots are taken")
        assert consumer.in_flight == 3
        node.gate.set()
        assert [client.result(trace, await future).number for trace, future in asked] == list(range(10))
    assert node.most == 3


async def test_a_long_hop_keeps_its_lease(bus: FaultyBus) -> None:
    node = Node()
    options = ConsumerOptions(lease_s=0.6)
    async with running(bus, node, options, options) as (client, consumers):
        ((trace, future),) = await client.ask_all([Ask(1)])
        await wait_until(lambda: bus.calls["extend"] >= 5, description="the lease was renewed often")
        node.gate.set()
        assert client.result(trace, await future) == Told(1, 1)
        assert [consumer.counts["claimed"] for consumer in consumers] == [0, 0]


async def test_a_stop_waits_for_what_is_under_way(bus: FaultyBus) -> None:
    node = Node()
    async with running(bus, node, ConsumerOptions()) as (client, (consumer,)):
        ((trace, future),) = await client.ask_all([Ask(1)])
        await wait_until(lambda: node.under_way == 1, description="the hop is under way")
        consumer.stop()
        consumer.stop()
        node.gate.set()
        assert client.result(trace, await future) == Told(1, 1)


async def test_what_a_drain_cuts_off_is_taken_over_by_another_worker(bus: FaultyBus) -> None:
    node = Node()
    plan = node.pipe().compile()
    async with coordinating(bus), connected(plan, bus, Framing()) as client:
        cut_off = ConsumerOptions(lease_s=0.15, drain_s=0.01)
        async with consuming(plan, bus, Framing(), ("main",), options=cut_off):
            ((trace, future),) = await client.ask_all([Ask(1)])
            await wait_until(lambda: node.under_way == 1, description="the hop is under way")
        assert node.under_way == 0
        node.gate.set()
        async with consuming(plan, bus, Framing(), ("main",), options=SHORT) as (consumer,):
            assert client.result(trace, await future) == Told(1, 2)
        assert consumer.counts["claimed"] == 1


async def test_a_failed_call_is_tried_again_later_and_then_fails_its_run(bus: FaultyBus) -> None:
    node = opened()
    async with running(bus, node, SHORT) as (client, (consumer,)):
        with pytest.raises(RunFailedError, match=r"step in node 'wait', source user_code \(ValueError\)"):
            await client.run(Ask(-1))
    assert node.calls == 2
    assert consumer.counts["promoted"] == 1
    (letter,) = [dead_letter.decode(one.blob) for one in await bus.dead_letters("waits.main", limit=10)]
    assert (letter.attempt, letter.failure.error, letter.failure.detail) == (2, "ValueError", "")


async def test_an_entry_that_was_handed_out_too_often_is_given_up_without_calling_its_node(bus: FaultyBus) -> None:
    node = opened()
    plan = node.pipe().compile()
    async with coordinating(bus), connected(plan, bus, Framing()) as client:
        ((trace, future),) = await client.ask_all([Ask(1)])
        (held,) = await bus.read("waits.main", "dead-1", limit=1, wait_s=0.01)
        for number in range(2, 4):
            (held,) = await bus.claim("waits.main", f"dead-{number}", limit=1, idle_s=0)
        assert held.deliveries == 3
        options = ConsumerOptions(lease_s=0.15, max_deliveries=3)
        async with consuming(plan, bus, Framing(), ("main",), options=options) as (consumer,):
            with pytest.raises(RunFailedError, match="worker_crash"):
                client.result(trace, await future)
    assert node.calls == 0
    assert consumer.counts["poison"] == 1


@pytest.mark.parametrize("method", ["abandoned", "now_ms"])
async def test_nothing_is_read_before_abandoned_runs_and_the_time_are_known(bus: FaultyBus, method: str) -> None:
    bus.fail(method, *[Fault.BEFORE] * 1000)
    async with running(bus, opened(), ConsumerOptions()) as (client, _):
        asked = asyncio.create_task(client.run(Ask(1)))
        await wait_until(lambda: bus.calls["submit"] > 0, description="the run has started")
        before = bus.calls[method]
        await wait_until(lambda: bus.calls[method] > before + 1, description="it was asked in vain")
        assert bus.calls["read"] == 0
        bus._faults[method].clear()
        assert await asked == Told(1, 1)


async def test_chores_are_done(bus: FaultyBus) -> None:
    options = ConsumerOptions(lease_s=0.15, promote_every_s=0.01, sweep_every_s=0.01)
    async with running(bus, opened(), options):
        chores = ("claim", "promote", "expire", "sweep")
        await wait_until(lambda: all(bus.calls[chore] for chore in chores), description="each was done")


async def test_a_gather_whose_frames_cannot_be_fetched_for_a_while_waits_for_them(bus: FaultyBus) -> None:
    pipe = Pipe("waits")

    @pipe.node
    async def split(ask: Ask) -> list[Part]:
        return [Part(number) for number in range(ask.number)]

    @pipe.node
    async def add(parts: Gather[Part]) -> Told:
        return Told(sum(part.number for part in parts), len(parts))

    plan = pipe.compile()
    bus.fail("stashed", Fault.BEFORE, Fault.AFTER)
    async with (
        consuming(plan, bus, Framing(), ("main",)) as (consumer,),
        coordinating(bus),
        connected(plan, bus, Framing()) as client,
    ):
        assert await client.run(Ask(4)) == Told(6, 4)
        await wait_until(lambda: consumer.in_flight == 0, description="nothing is held")
    assert consumer.counts["crashed"] == 0
