"""The census on a real server: each planted leak is found and named, and a healthy busy system has none."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from examples.fund_load.pipe import pipe
from tests.examples.fund_load.generator import generate
from tests.headrace.bus.bench import FAILED, IN, NEVER_MS, Bench, every_place, frame
from tests.headrace.bus.planted import PLANTS, Plant, entry_doubled, entry_lost

from headrace.bus.redis.bus import RedisBus
from headrace.bus.redis.call import Due, Spill, encode_due
from headrace.bus.redis.inspect.census import Census
from headrace.bus.redis.inspect.findings import Kind, Verdict
from headrace.graph.pipe import Pipe
from headrace.ledger.values import (
    Item,
    Schedule,
)
from headrace.runtime.bulk import run_all
from headrace.runtime.compose import connected, consuming, coordinating
from headrace.wire.envelope import Framing


@pytest.fixture
async def bench(redis_url: str, namespace: str) -> AsyncIterator[Bench]:
    made = Bench(redis_url, namespace)
    yield made
    await made.aclose()


async def test_work_is_counted_wherever_it_can_be(bench: Bench) -> None:
    await every_place(bench)
    census = await bench.census()
    assert (census.findings, census.runs, census.live, census.work) == ([], 1, 1, 9)


async def test_a_run_that_ends_leaves_nothing_to_find(bench: Bench) -> None:
    run = await every_place(bench)
    await bench.bus.end(run, FAILED)
    census = await bench.census()
    assert (census.findings, census.live) == ([], 1)  # what is under way is counted until a worker drops it


async def test_outputs_that_are_recorded_in_parts_are_work(bench: Bench) -> None:
    run = await bench.start()
    key = bench.keys.spill(IN, run, "1")
    await bench.redis.rpush(key, *range(40))
    await bench.redis.zadd(bench.keys.scheduled(IN), {encode_due(Due(run, Spill(key, 40))): NEVER_MS})
    await bench.redis.hincrby(bench.keys.run(run)[0], "in_flight", 40)
    assert await bench.findings() == []


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
async def test_a_planted_leak_is_found_and_named_and_nothing_else(plant: Plant, bench: Bench) -> None:
    await every_place(bench)
    expected = await plant(bench)
    found = await bench.findings()
    assert [(each.kind, each.key, each.run, each.subject) for each in found] == [expected]
    assert found[0].what
    assert found[0].advice


async def test_a_mismatch_says_its_numbers(bench: Bench) -> None:
    await entry_lost(bench)
    [finding] = await bench.findings()
    numbers = dict(finding.numbers)
    assert (numbers["in_flight"], numbers["found"], numbers["streams"]) == (1, 0, 0)


async def test_a_silent_consumer_that_holds_entries_is_found(bench: Bench) -> None:
    await bench.start()
    await bench.take()
    [finding] = await bench.findings(silent_ms=0)
    stream = bench.keys.stream(IN)
    assert (finding.kind, finding.key, finding.subject) == (Kind.SILENT_CONSUMER, stream, "worker")
    assert (finding.verdict, finding.numbers) == (Verdict.WARN, (("held", 1),))


async def test_entries_that_nobody_reads_are_found(bench: Bench) -> None:
    await bench.start()
    [finding] = await bench.findings(silent_ms=0)
    assert (finding.kind, finding.key) == (Kind.NOBODY_READS, bench.keys.stream(IN))


async def test_scheduled_items_that_nobody_promotes_are_found(bench: Bench) -> None:
    run = await bench.start()
    await bench.hop(run, Schedule(IN, 0, Item((frame(run),))))
    [finding] = await bench.findings(silent_ms=0)
    assert (finding.kind, finding.key) == (Kind.NOBODY_PROMOTES, bench.keys.scheduled(IN))


async def test_what_moves_between_looks_is_no_finding(bench: Bench) -> None:
    run = await bench.start()
    await bench.redis.hset(bench.keys.run(run)[0], "in_flight", 2)
    is_over = False

    async def touch() -> None:
        while not is_over:
            await bench.redis.hset(bench.keys.run(run)[0], "in_flight", 2)  # as a commit does: the number is the same
            await asyncio.sleep(0)

    touching = asyncio.create_task(touch())
    try:
        assert await bench.findings() == []
    finally:
        is_over = True
        await touching


async def test_a_leak_beside_a_run_that_moves_is_found(bench: Bench) -> None:
    lost = [(await entry_lost(bench))[2] for _ in range(30)]
    _, _, moving, _ = await entry_doubled(bench)
    is_over = False

    async def touch() -> None:
        while not is_over:
            await bench.redis.hset(bench.keys.run(moving)[0], "in_flight", 1)
            await asyncio.sleep(0)

    touching = asyncio.create_task(touch())
    try:
        found = {finding.run for finding in await bench.findings()}
    finally:
        is_over = True
        await touching
    assert found == set(lost)


@dataclass
class Ball:
    hops: int


@dataclass
class Back:
    hops: int


def rally() -> Pipe:
    """A pipe whose run is one piece of work that goes to and fro: its count never changes, its place does."""
    pipe = Pipe("rally", entry=Ball)

    @pipe.node(group="left", max_visits=100_000)
    async def left(ball: Ball) -> Back:
        return Back(ball.hops + 1)

    @pipe.node(group="right", max_visits=100_000)
    async def right(back: Back) -> Ball:
        return Ball(back.hops + 1)

    return pipe


@pytest.mark.slow
async def test_runs_that_never_rest_are_no_finding(redis_url: str, namespace: str, bench: Bench) -> None:
    plan, framing = rally().compile(), Framing()
    bus = RedisBus(redis_url, namespace=namespace)
    async with consuming(plan, bus, framing, tuple(plan.groups)), connected(plan, bus, framing) as client:
        traces = [await client.submit(Ball(0)) for _ in range(20)]
        censuses = [await bench.census() for _ in range(10)]
        for trace_id in traces:
            assert await client.cancel(trace_id)
    await bus.aclose()
    assert [finding for census in censuses for finding in census.findings] == []
    assert {census.live for census in censuses} == {20}


@pytest.mark.slow
async def test_a_healthy_busy_system_has_no_finding(redis_url: str, namespace: str, bench: Bench) -> None:
    plan, framing = pipe.compile(), Framing()
    bus = RedisBus(redis_url, namespace=namespace)
    done = asyncio.Event()
    read = plan.read_line
    assert read is not None
    messages = [read(line) for line in generate(6000, 1)]

    async def load() -> None:
        try:
            async with connected(plan, bus, framing) as client:
                async for _ in run_all(client, iter(messages), window=500, batch=50):
                    pass
        finally:
            done.set()

    censuses: list[Census] = []
    groups = tuple(plan.groups)
    async with consuming(plan, bus, framing, groups), consuming(plan, bus, framing, groups), coordinating(bus):
        loading = asyncio.create_task(load())
        while not done.is_set():
            censuses.append(await bench.census())
        await loading
    await bus.aclose()
    assert [finding for census in censuses for finding in census.findings] == []
    assert max(census.live for census in censuses) > 0
