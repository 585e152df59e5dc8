"""Following runs: everything that is told, once and in order, from any place, on memory and on Redis."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager

import pytest
from msgspec import Struct

from headrace.bus.memory.bus import MemoryBus
from headrace.bus.protocol import Bus
from headrace.bus.redis.bus import RedisBus
from headrace.errors import EventsNotKeptError, UnknownRunError
from headrace.graph.options import Retry, Signal, Suspend
from headrace.graph.pipe import Pipe
from headrace.kernel.context import Context
from headrace.ledger.values import Delivery
from headrace.runtime.client import Client
from headrace.runtime.compose import connected, consuming, coordinating
from headrace.runtime.consumer import ConsumerOptions
from headrace.runtime.following import Event
from headrace.runtime.submissions import Options
from headrace.testing.faulty_bus import Fault, FaultyBus
from headrace.testing.wait import wait_until
from headrace.wire.envelope import Framing

FOLLOWED = Options(keeps_events=True)


class Ask(Struct):
    words: int = 3


class Answer(Struct):
    text: str = ""


class Approval(Struct):
    by: str = "ada"


@pytest.fixture(params=["memory", "redis"])
async def bus(request: pytest.FixtureRequest) -> AsyncGenerator[FaultyBus]:
    if request.param == "memory":
        inner: Bus = MemoryBus()
    else:
        url, namespace = request.getfixturevalue("redis_url"), request.getfixturevalue("namespace")
        inner = RedisBus(url, namespace=namespace)
    bus = FaultyBus(inner)
    yield bus
    await bus.aclose()


@pytest.fixture
async def memory() -> AsyncGenerator[MemoryBus]:
    bus = MemoryBus()
    yield bus
    await bus.aclose()


@asynccontextmanager
async def deployed(pipe: Pipe, bus: Bus, *, workers: int = 1, lease_s: float = 15.0) -> AsyncIterator[Client]:
    plan = pipe.compile()
    async with AsyncExitStack() as parts:
        await parts.enter_async_context(coordinating(bus))
        for _ in range(workers):
            options = ConsumerOptions(lease_s=lease_s, promote_every_s=0.01)
            await parts.enter_async_context(consuming(plan, bus, Framing(), tuple(plan.groups), options=options))
        yield await parts.enter_async_context(connected(plan, bus, Framing()))


async def told(client: Client, trace_id: str, *, after: int = 0) -> list[Event]:
    async with asyncio.timeout(20):
        return [event async for event in client.events(trace_id, after=after)]


def speaking() -> Pipe:
    pipe = Pipe("speaking")

    @pipe.node
    async def speak(ask: Ask, ctx: Context) -> Answer:
        for number in range(ask.words):
            ctx.emit({"token": number})
        return Answer("done")

    return pipe


def kinds(events: list[Event]) -> list[str]:
    return [event.kind for event in events]


async def test_a_run_is_followed_from_its_start_to_its_end(bus: FaultyBus) -> None:
    async with deployed(speaking(), bus) as client:
        trace_id = await client.submit(Ask(3), FOLLOWED)
        events = await told(client, trace_id)
    assert kinds(events) == ["node_started", "emitted", "emitted", "emitted", "node_ended", "completed"]
    assert [event.seq for event in events] == [1, 2, 3, 4, 5, 6]
    assert [event.value for event in events if event.kind == "emitted"] == [{"token": number} for number in range(3)]
    assert len({event.invocation_id for event in events[:-1]}) == 1
    started, ended, end = events[0], events[4], events[5]
    assert (started.node, started.group, started.attempt, started.run_id) == ("speak", "main", 1, trace_id)
    assert ended.outputs == 1
    assert end.result == {"text": "done"}
    assert all(event.time > 0 and event.trace_id == trace_id for event in events)


async def test_each_of_two_nodes_that_a_run_starts_with_tells_of_itself(bus: FaultyBus) -> None:
    class Left(Struct):
        pass

    class Right(Struct):
        pass

    pipe = Pipe("both")

    @pipe.node(group="left")
    async def left(ask: Ask) -> Left:
        return Left()

    @pipe.node(group="right")
    async def right(ask: Ask) -> Right:
        return Right()

    @pipe.node(group="left")
    async def meet(a: Left, b: Right) -> Answer:
        return Answer("met")

    async with deployed(pipe, bus) as client:
        events = await told(client, await client.submit(Ask(), FOLLOWED))
    assert Counter(kinds(events)) == {"node_started": 3, "node_ended": 3, "completed": 1}
    assert len({event.invocation_id for event in events[:-1]}) == 3


async def test_a_short_hop_tells_by_its_commit_alone_and_one_that_nobody_follows_tells_nothing(bus: FaultyBus) -> None:
    async with deployed(speaking(), bus) as client:
        trace_id = await client.submit(Ask(1), FOLLOWED)
        assert kinds(await told(client, trace_id)) == ["node_started", "emitted", "node_ended", "completed"]
        assert bus.calls["tell"] == 0
        unfollowed = await client.submit(Ask(1))
        await client.wait(unfollowed)
        with pytest.raises(EventsNotKeptError):
            await told(client, unfollowed)
        with pytest.raises(UnknownRunError):
            await told(client, "0" * 32)


@pytest.mark.parametrize("is_async", [True, False], ids=["async", "in a thread"])
async def test_a_thousand_tokens_cost_a_few_round_trips_and_are_seen_while_the_node_runs(
    bus: FaultyBus, is_async: bool
) -> None:
    pipe, seen, loop = Pipe("long"), asyncio.Event(), asyncio.get_running_loop()

    if is_async:

        @pipe.node
        async def speak(ask: Ask, ctx: Context) -> Answer:
            for number in range(ask.words):
                ctx.emit(number)
            await seen.wait()
            return Answer()

    else:

        @pipe.node
        def speak_in_a_thread(ask: Ask, ctx: Context) -> Answer:
            for number in range(ask.words):
                ctx.emit(number)
            asyncio.run_coroutine_threadsafe(seen.wait(), loop).result()
            return Answer()

    async with deployed(pipe, bus) as client:
        trace_id = await client.submit(Ask(1000), FOLLOWED)
        values: list[object] = []
        async with asyncio.timeout(20), aclosing(client.events(trace_id)) as events:
            async for event in events:
                if event.kind == "emitted":
                    values.append(event.value)
                    if len(values) == 1000:
                        seen.set()
    assert values == list(range(1000))
    assert 1 <= bus.calls["tell"] <= 10


async def test_a_retried_call_replaces_what_it_told_before(memory: MemoryBus) -> None:
    pipe = Pipe("retried")

    @pipe.node(retry=Retry(attempts=2, backoff=0.01))
    async def speak(ask: Ask, ctx: Context) -> Answer:
        ctx.emit(f"attempt {ctx.attempt}")
        if ctx.attempt == 1:
            raise RuntimeError
        return Answer()

    async with deployed(pipe, memory) as client:
        events = await told(client, await client.submit(Ask(), FOLLOWED))
    assert kinds(events) == [
        *("node_started", "emitted", "node_failed", "replaced", "node_started", "emitted", "node_ended", "completed")
    ]
    failed, replaced = events[2:4]
    assert failed.failure is not None
    assert failed.retry_in_s is not None
    assert replaced.invocation_id == failed.invocation_id == events[0].invocation_id
    assert [event.value for event in in_force(events)] == ["attempt 2"]


async def test_a_worker_that_lost_its_lease_replaces_and_repeats_nothing(bus: FaultyBus) -> None:
    pipe, calls, go_on = Pipe("lost"), Counter[str](), asyncio.Event()

    @pipe.node
    async def speak(ask: Ask, ctx: Context) -> Answer:
        calls["speak"] += 1
        call = calls["speak"]
        ctx.emit(f"call {call}")
        if call == 1:
            await go_on.wait()
            ctx.emit("too late")
        return Answer()

    async with deployed(pipe, bus, workers=1, lease_s=60) as client:
        trace_id = await client.submit(Ask(), FOLLOWED)
        await wait_until(lambda: bus.calls["tell"] == 1, description="the first call has told")
        await wait_until(lambda: is_kept(bus, trace_id, 2), description="and that is kept")
        (taken,) = await bus.claim("lost.main", "other", limit=1, idle_s=0)
        async with consuming(pipe.compile(), Handing(bus, taken), Framing(), ("main",)):
            events = await told(client, trace_id)
        go_on.set()
    assert [event.value for event in in_force(events)] == ["call 2"]
    assert kinds(events) == [
        *("node_started", "emitted", "replaced", "node_started", "emitted", "node_ended", "completed")
    ]


async def test_a_suspended_call_says_what_it_waits_for(memory: MemoryBus) -> None:
    pipe = Pipe("approved")

    @pipe.node
    async def decide(ask: Ask, ctx: Context, approval: Signal[Approval] = None) -> Answer | Suspend:
        return Suspend(until="approval") if approval is None else Answer(approval.by)

    async with deployed(pipe, memory) as client:
        trace_id = await client.submit(Ask(), FOLLOWED)
        async with asyncio.timeout(20), aclosing(client.events(trace_id)) as events:
            found = [await anext(events) for _ in range(3)]
            assert kinds(found) == ["node_started", "node_ended", "suspended"]
            assert found[-1].until == "approval"
            await client.signal(trace_id, "approval", Approval())
            rest = [event async for event in events]
    assert kinds(rest) == ["replaced", "node_started", "node_ended", "completed"]


async def test_from_any_place_nothing_is_lost_and_nothing_comes_twice(bus: FaultyBus) -> None:
    async with deployed(speaking(), bus) as client:
        trace_id = await client.submit(Ask(600), FOLLOWED)
        everything = await told(client, trace_id)
        for place in (1, 300, 602, 603):
            assert await told(client, trace_id, after=place) == everything[place:]
    assert [event.seq for event in everything] == list(range(1, 604))


async def test_many_follow_one_run_and_each_has_its_own_place(bus: FaultyBus) -> None:
    pipe, started, go_on = Pipe("many"), asyncio.Event(), asyncio.Event()

    @pipe.node
    async def speak(ask: Ask, ctx: Context) -> Answer:
        ctx.emit(1)
        started.set()
        await go_on.wait()
        ctx.emit(2)
        return Answer()

    async with deployed(pipe, bus) as client:
        trace_id = await client.submit(Ask(), FOLLOWED)
        await started.wait()
        following = [asyncio.create_task(told(client, trace_id, after=place)) for place in (0, 0, 2)]
        await wait_until(lambda: bus.calls["events"] >= 2, description="they follow")
        go_on.set()
        first, second, third = await asyncio.gather(*following)
    assert first == second
    assert third == first[2:]
    assert kinds(first) == ["node_started", "emitted", "emitted", "node_ended", "completed"]


async def test_a_bus_that_is_away_loses_no_event_and_doubles_none(bus: FaultyBus) -> None:
    pipe, go_on = Pipe("away"), asyncio.Event()

    @pipe.node
    async def speak(ask: Ask, ctx: Context) -> Answer:
        ctx.emit(1)
        await go_on.wait()
        ctx.emit(2)
        return Answer()

    bus.fail("tell", Fault.AFTER, Fault.BEFORE)
    bus.fail("events", Fault.BEFORE, Fault.AFTER)
    bus.fail("commit", Fault.AFTER)
    async with deployed(pipe, bus) as client:
        trace_id = await client.submit(Ask(), FOLLOWED)
        following = asyncio.create_task(told(client, trace_id))
        await wait_until(lambda: bus.calls["tell"] >= 3, description="it has told again")
        go_on.set()
        events = await following
    assert kinds(events) == ["node_started", "emitted", "emitted", "node_ended", "completed"]
    assert [event.seq for event in events] == [1, 2, 3, 4, 5]


async def test_what_cannot_be_sent_is_told_by_its_type(memory: MemoryBus) -> None:
    pipe = Pipe("unsent")

    @pipe.node
    async def speak(ask: Ask, ctx: Context) -> Answer:
        ctx.emit(object())
        ctx.emit("x" * 100_000)
        ctx.emit(Approval("bob"))
        return Answer()

    async with deployed(pipe, memory) as client:
        events = await told(client, await client.submit(Ask(), FOLLOWED))
    assert [(event.value, event.unsent) for event in events if event.kind == "emitted"] == [
        *((None, "object"), (None, "str"), ({"by": "bob"}, ""))
    ]


async def test_a_process_that_stops_ends_its_followers(memory: MemoryBus) -> None:
    pipe, go_on = Pipe("stopping"), asyncio.Event()

    @pipe.node
    async def wait(ask: Ask) -> Answer:
        await go_on.wait()
        return Answer()

    async with deployed(pipe, memory):
        async with connected(pipe.compile(), memory, Framing()) as other:
            trace_id = await other.submit(Ask(), FOLLOWED)
            events = other.events(trace_id)
            assert (await anext(events)).kind == "node_started"
            rest = asyncio.create_task(_rest(events))
        assert await rest == []
        go_on.set()


class Handing(FaultyBus):
    """A bus that first hands out one delivery, which its consumer then holds."""

    def __init__(self, bus: Bus, delivery: Delivery) -> None:
        super().__init__(bus)
        self._first = [delivery]

    async def read(self, group: str, consumer: str, *, limit: int, wait_s: float) -> list[Delivery]:
        first, self._first = self._first, []
        return first or await super().read(group, consumer, limit=limit, wait_s=wait_s)


def in_force(events: list[Event]) -> list[Event]:
    """What was emitted and not replaced."""
    kept: list[Event] = []
    for event in events:
        if event.kind == "replaced":
            kept = [other for other in kept if other.invocation_id != event.invocation_id]
        elif event.kind == "emitted":
            kept.append(event)
    return kept


async def is_kept(bus: Bus, trace_id: str, count: int) -> bool:
    return len((await bus.events({trace_id: 0}, limit=100, wait_s=0)).get(trace_id, [])) == count


async def _rest(events: AsyncIterator[Event]) -> list[Event]:
    return [event async for event in events]
