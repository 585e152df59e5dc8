"""One run a key, however often and wherever it is asked for; none over the bound on open ones."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from msgspec import Struct, structs

from headrace.bus.memory.bus import MemoryBus
from headrace.bus.protocol import Bus
from headrace.bus.redis.bus import RedisBus
from headrace.errors import KeyReusedError, TooManyRunsError
from headrace.graph.options import State
from headrace.graph.pipe import Pipe
from headrace.runtime.client import Client
from headrace.runtime.compose import connected, consuming, coordinating
from headrace.runtime.idempotency import Idempotency, fingerprint_of
from headrace.runtime.submissions import Options
from headrace.wire.envelope import Framing
from headrace.wire.trace import partition_of

PARTITIONS = 4
FIRST = Options(idempotency=Idempotency("order-1", "f1", "ada"))


class Ask(Struct):
    customer: str = "c"


class Told(Struct):
    number: int


class Seen(Struct):
    count: int = 0


@pytest.fixture(params=["memory", "redis"])
async def bus(request: pytest.FixtureRequest) -> AsyncGenerator[Bus]:
    if request.param == "memory":
        bus: Bus = MemoryBus()
    else:
        url, namespace = request.getfixturevalue("redis_url"), request.getfixturevalue("namespace")
        bus = RedisBus(url, namespace=namespace, partitions=PARTITIONS)
    yield bus
    await bus.aclose()


def counting() -> tuple[Pipe, list[str]]:
    pipe, calls = Pipe("counting"), list[str]()

    @pipe.node
    async def tell(ask: Ask) -> Told:
        calls.append(ask.customer)
        return Told(len(calls))

    return pipe, calls


def ordered() -> Pipe:
    pipe = Pipe("ordered")

    @pipe.node(key="customer", order="ingress")
    async def see(ask: Ask, seen: State[Seen]) -> Told:
        seen.count += 1
        return Told(seen.count)

    return pipe


@asynccontextmanager
async def clients(pipe: Pipe, bus: Bus, count: int = 2, *, works: bool = True) -> AsyncGenerator[list[Client]]:
    plan, partitions = pipe.compile(), PARTITIONS if isinstance(bus, RedisBus) else 1
    async with AsyncExitStack() as parts:
        if works:
            await parts.enter_async_context(consuming(plan, bus, Framing(), tuple(plan.groups)))
            await parts.enter_async_context(coordinating(bus))
        yield [
            await parts.enter_async_context(connected(plan, bus, Framing(), partitions=partitions))
            for _ in range(count)
        ]


async def test_a_key_asked_for_at_once_by_many_is_one_run_and_one_answer_for_all(bus: Bus) -> None:
    pipe, calls = counting()
    async with clients(pipe, bus) as (one, other), asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(client.ask(Ask(), options=FIRST)) for client in (one, other) * 10]
    assert len(calls) == 1
    assert len({task.result() for task in asked}) == 1


async def test_an_answer_that_was_given_is_given_again(bus: Bus) -> None:
    pipe, calls = counting()
    async with clients(pipe, bus) as (one, other):
        answers = [await client.run(Ask(), options=FIRST) for client in (one, other)]
        assert await other.submit(Ask(), FIRST) == (await one.ask(Ask(), options=FIRST))[0]
    assert (answers, len(calls)) == ([Told(1), Told(1)], 1)


async def test_keys_of_other_callers_and_other_keys_are_other_runs(bus: Bus) -> None:
    pipe, calls = counting()
    others = [Idempotency("order-1", "f1", "bob"), Idempotency("order-2", "f1", "ada"), Idempotency("order-1", "f1")]
    async with clients(pipe, bus, 1) as (one,):
        traces = {await one.submit(Ask(), Options(idempotency=each)) for each in others}
        traces.add(await one.submit(Ask(), FIRST))
        for trace in traces:
            await one.wait(trace)
    assert len(calls) == len(traces) == 4


async def test_a_key_that_comes_with_another_message_is_refused_and_waits_for_nothing(bus: Bus) -> None:
    pipe, _ = counting()
    async with clients(pipe, bus, 1, works=False) as (one,):
        trace = await one.submit(Ask("a"), FIRST)
        with pytest.raises(KeyReusedError) as refused:
            await one.ask(Ask("b"), options=Options(idempotency=Idempotency("order-1", "f2", "ada")))
        assert refused.value.trace_id == trace
        assert await bus.waiters([trace]) == [()]


async def test_a_key_follows_its_lane_to_its_partition_and_is_refused_with_a_message_of_another(bus: Bus) -> None:
    customers = [str(number) for number in range(2 * PARTITIONS)]
    async with clients(ordered(), bus, 1, works=False) as (one,):
        for customer in customers:
            key = Options(idempotency=Idempotency(f"key-{customer}", customer))
            same, plain = await one.submit(Ask(customer), key), await one.submit(Ask(customer))
            assert partition_of(same) == partition_of(plain)
            for other in customers:
                changed = structs.replace(key, idempotency=Idempotency(f"key-{customer}", other))
                if other == customer:
                    assert await one.submit(Ask(other), changed) == same
                else:
                    with pytest.raises(KeyReusedError):
                        await one.submit(Ask(other), changed)


async def test_no_more_runs_are_open_than_may_be_and_none_is_half_started() -> None:
    pipe, _ = counting()
    bus, few = MemoryBus(), Options(most_open=3)
    async with clients(pipe, bus, works=False) as pair:
        results = await asyncio.gather(*(one.submit(Ask(), few) for one in pair * 5), return_exceptions=True)
    refused = [result for result in results if isinstance(result, TooManyRunsError)]
    assert len(results) - len(refused) == 3 == await bus.backlog("counting.main")
    assert str(refused[0]) == "3 runs of pipe 'counting' are open, which is the limit; nothing was started"


async def test_partitions_share_the_bound(redis_url: str, namespace: str) -> None:
    pipe, _ = counting()
    bus, bound = RedisBus(redis_url, namespace=namespace, partitions=PARTITIONS), 2 * PARTITIONS
    async with clients(pipe, bus, 1, works=False) as (one,):
        many = [one.submit(Ask(), Options(most_open=bound)) for _ in range(20 * bound)]
        results = await asyncio.gather(*many, return_exceptions=True)
        assert sum(isinstance(result, str) for result in results) == bound
        assert (await bus.load("counting")).open == bound
    await bus.aclose()


def test_a_fingerprint_is_that_of_what_is_said_not_of_how_it_is_spelled() -> None:
    same = {fingerprint_of(body) for body in (b'{"a":1,"b":[{"c":2,"d":3}]}', b' { "b" : [{"d":3,"c":2}], "a":1 } ')}
    assert len(same) == 1
    assert fingerprint_of(b'{"a":2,"b":[{"c":2,"d":3}]}') not in same
