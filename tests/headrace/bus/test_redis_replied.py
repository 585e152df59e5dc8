"""Whom a commit tells of a run that it ends: inboxes that its worker has learned; the coordinator tells the others."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from headrace.bus.redis.bus import RedisBus
from headrace.bus.redis.keys import Keys
from headrace.bus.redis.work import KNOWN_INBOXES
from headrace.testing.bus_contract import DONE, IN, commit, match, read, replies, submission, trace


@pytest.fixture
async def bus(redis_url: str, namespace: str) -> AsyncIterator[RedisBus]:
    bus = RedisBus(redis_url, namespace=namespace)
    yield bus
    await bus.aclose()


async def ended(bus: RedisBus, *inboxes: str) -> str:
    """Run a run that inboxes wait for to its end."""
    trace_id = trace()
    await bus.submit([submission(trace_id, inbox=inboxes[0])])
    for inbox in inboxes[1:]:
        await bus.watch(trace_id, inbox)
    (delivery,) = await read(bus, IN)
    await bus.commit(IN, [commit(delivery, trace_id, terminal=DONE)])
    return trace_id


async def told(bus: RedisBus, inbox: str) -> list[str]:
    return [event.trace_id for event in await bus.read_inbox(inbox, limit=100, wait_s=0)]


async def test_an_inbox_is_told_by_the_coordinator_first_and_by_the_commit_once_its_worker_knows_it(
    bus: RedisBus,
) -> None:
    first = await ended(bus, "gateway")
    assert await told(bus, "gateway") == []
    assert await replies(bus) == [(first, DONE)]
    second = await ended(bus, "gateway")
    assert await told(bus, "gateway") == [second]
    assert await replies(bus) == []
    assert await bus.waiters([first, second]) == [("gateway",), ()]


async def test_a_run_with_a_waiter_that_is_not_known_is_told_to_nobody_but_the_coordinator(bus: RedisBus) -> None:
    await ended(bus, "known")
    await match(bus)
    await told(bus, "known")
    run = await ended(bus, "known", "new")
    assert (await told(bus, "known"), await told(bus, "new")) == ([], [])
    await match(bus)
    assert (await told(bus, "known"), await told(bus, "new")) == ([run], [run])
    again = await ended(bus, "known", "new")
    assert (await told(bus, "known"), await told(bus, "new")) == ([again], [again])


async def test_runs_of_one_call_are_told_each_to_its_own(bus: RedisBus) -> None:
    await ended(bus, "known")
    await match(bus)
    await told(bus, "known")
    traces = [trace() for _ in range(3)]
    inboxes = ("known", "new", "known")
    await bus.submit([submission(one, inbox=inbox) for one, inbox in zip(traces, inboxes, strict=True)])
    held = await read(bus, IN)
    await bus.commit(IN, [commit(one, trace_id, terminal=DONE) for one, trace_id in zip(held, traces, strict=True)])
    assert await told(bus, "known") == [traces[0], traces[2]]
    assert await replies(bus) == [(traces[1], DONE)]


async def test_only_so_many_inboxes_are_known_the_oldest_is_forgotten_and_learned_again(bus: RedisBus) -> None:
    for number in range(KNOWN_INBOXES + 1):
        await ended(bus, f"gateway-{number}")
    await match(bus)
    for number, is_known in ((1, True), (KNOWN_INBOXES, True), (0, False), (0, True)):
        run = await ended(bus, f"gateway-{number}")
        assert (run in await told(bus, f"gateway-{number}")) is is_known
        await match(bus)


async def test_what_commits_told_is_counted_and_an_inbox_outlives_its_reader_by_its_time_alone(
    bus: RedisBus, redis_url: str, namespace: str
) -> None:
    keys = Keys(namespace, 0)
    for _ in range(3):
        await ended(bus, "gateway")
    async with Redis.from_url(redis_url) as redis:
        assert await redis.get(keys.replied) == b"2"
        assert await redis.pttl(keys.inbox("gateway")) > 0
