"""The bus on a real Redis Cluster of three masters: the whole contract, and a pipeline while slots move."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import count
from typing import Any

import pytest
from redis import Redis
from tests.support.doubling import Doubled, Number, answers_again, serving
from tests.support.redis_cluster import MASTERS, RedisCluster
from tests.support.redis_server import RedisServer

from headrace.bus.protocol import Bus
from headrace.bus.redis.bus import RedisBus
from headrace.bus.redis.keys import Keys
from headrace.bus.redis.purge import delete_namespace
from headrace.errors import BusUnavailableError
from headrace.ledger.values import Answer, Submitted
from headrace.runtime.client import Client
from headrace.testing.bus_contract import DONE, IN, commit, read, submission, terminal, trace
from headrace.testing.event_contract import EventContract
from headrace.testing.lane_contract import LaneContract
from headrace.testing.roster_contract import RosterContract
from headrace.testing.wait import wait_until
from headrace.wire.trace import partition_of, trace_id

pytestmark = pytest.mark.slow
_numbers = count()


@pytest.fixture(scope="module")
def cluster() -> Iterator[RedisCluster]:
    with RedisCluster() as cluster:
        yield cluster


@pytest.fixture
def spread(cluster: RedisCluster) -> str:
    """A namespace whose partitions lie on different masters."""
    return cluster.spread(f"test-{next(_numbers)}")


@pytest.fixture
async def bus(cluster: RedisCluster, spread: str) -> AsyncIterator[RedisBus]:
    bus = RedisBus(cluster.url, namespace=spread, partitions=MASTERS)
    yield bus
    await bus.aclose()


class TestRedisBusOnACluster(LaneContract, EventContract, RosterContract):
    @pytest.fixture(autouse=True)
    def _place(self, cluster: RedisCluster) -> None:
        self.cluster = cluster

    def open_bus(self) -> AbstractAsyncContextManager[Bus]:
        @asynccontextmanager
        async def opened() -> AsyncIterator[Bus]:
            namespace = self.cluster.spread(f"contract-{next(_numbers)}")
            bus = RedisBus(self.cluster.url, namespace=namespace, partitions=MASTERS)
            try:
                yield bus
            finally:
                await bus.aclose()

        return opened()


async def test_a_read_that_waits_on_every_master_returns_as_soon_as_one_has_something(
    bus: RedisBus, cluster: RedisCluster
) -> None:
    clock = asyncio.get_running_loop().time
    for partition in range(MASTERS):
        waiting = asyncio.create_task(bus.read(IN, "a", limit=30, wait_s=2))
        await wait_until(lambda: all(map(_is_blocked, cluster.servers)), description="the read waits on all")
        started = clock()
        await bus.submit([submission(trace_id(partition, f"{partition}".encode() * 14))])
        (delivery,) = await waiting
        assert delivery.partition == partition
        assert clock() - started < 1


async def test_a_read_of_one_entry_finds_it_in_whichever_partition_it_is(bus: RedisBus) -> None:
    for partition in range(MASTERS):
        await bus.submit([submission(trace_id(partition, f"{partition + 3}".encode() * 14))])
        started = asyncio.get_running_loop().time()
        (delivery,) = await bus.read(IN, "a", limit=1, wait_s=2)
        assert delivery.partition == partition
        assert asyncio.get_running_loop().time() - started < 1


async def test_a_read_that_has_ended_or_was_cancelled_takes_nothing_more(bus: RedisBus) -> None:
    await bus.submit([submission(trace_id(0, b"a" * 14))])
    assert len(await bus.read(IN, "a", limit=30, wait_s=2)) == 1
    cut = asyncio.create_task(bus.read(IN, "a", limit=30, wait_s=2))
    done, _ = await asyncio.wait([cut], timeout=0.1)
    assert not done
    cut.cancel()
    await asyncio.wait([cut])
    for partition in range(MASTERS):
        await bus.submit([submission(trace_id(partition, b"b" * 14))])
    taken = [one for _ in range(3) for one in await bus.read(IN, "b", limit=30, wait_s=0.2)]
    assert sorted(one.partition for one in taken) == [0, 1, 2]


async def test_a_master_that_has_lost_its_scripts_is_given_them_again(bus: RedisBus, cluster: RedisCluster) -> None:
    await bus.submit([submission(trace())])
    for server in cluster.servers:
        with Redis.from_url(server.url) as node:
            node.script_flush()
    assert (
        await bus.submit([submission(trace_id(partition, b"c" * 14)) for partition in range(MASTERS)])
        == [Submitted.NEW] * 3
    )


async def test_a_namespace_is_deleted_on_every_master(bus: RedisBus, cluster: RedisCluster, spread: str) -> None:
    await bus.submit([submission(trace_id(partition, b"d" * 14)) for partition in range(MASTERS)])
    assert await delete_namespace(cluster.url, spread) >= 2 * MASTERS
    for server in cluster.servers:
        with Redis.from_url(server.url) as node:
            assert node.keys(f"{{{spread}:*") == []


async def test_a_partition_whose_slot_moves_is_read_on_both_sides_and_its_commits_wait(
    bus: RedisBus, cluster: RedisCluster, spread: str
) -> None:
    traces = [trace(), trace()]
    await bus.submit([submission(one) for one in traces])
    key = Keys(spread, 0).stream(IN)
    source = cluster.owner(key)
    target = next(server for server in cluster.servers if server is not source)
    (first,) = await read(bus, IN, limit=1)
    steps = [step async for step in _until(cluster.move(key, source, target), key)]
    assert steps[-1] == key
    (second,) = await read(bus, IN)  # its stream is on the new side, the slot still on the old: ASK
    committing = asyncio.create_task(bus.commit(IN, [commit(first, traces[0], terminal=DONE)]))
    done, _ = await asyncio.wait([committing], timeout=0.2)
    assert not done  # its keys lie on both sides: TRYAGAIN
    [step async for step in cluster.move(key, source, target)]
    assert await committing == [[Answer.COMMITTED]]
    assert await bus.commit(IN, [commit(second, traces[1], terminal=DONE)]) == [[Answer.COMMITTED]]
    assert [await terminal(bus, one) for one in traces] == [DONE, DONE]


async def test_a_pipeline_answers_every_run_once_while_a_slot_moves_under_load(
    bus: RedisBus, cluster: RedisCluster, spread: str
) -> None:
    key = Keys(spread, 0).replies
    source = cluster.owner(key)
    target = next(server for server in cluster.servers if server is not source)
    load = Load()
    async with serving(bus, partitions=MASTERS) as client:
        await answers_again(client)
        async with asyncio.TaskGroup() as tasks:
            callers = [tasks.create_task(load.call(client)) for _ in range(12)]
            await wait_until(lambda: len(load.answers) > 20, description="runs are answered before the move")
            assert [step async for step in cluster.move(key, source, target)][-1] == "moved"
            moved_at = len(load.answers)
            await wait_until(lambda: len(load.answers) > moved_at + 100, description="runs are answered after the move")
            load.is_over = True
        assert all(caller.done() for caller in callers)
        assert load.wrong == []
        assert {partition_of(one) for one in load.answers} == {0, 1, 2}
        views = [await client.view(one) for one in load.answers]
        assert {view.in_flight for view in views if view} == {0}
    with Redis.from_url(target.url) as node:
        assert node.exists(Keys(spread, 0).replies)


async def test_a_pipeline_goes_on_when_the_replica_of_a_dead_master_takes_over() -> None:
    with RedisCluster(has_replicas=True) as cluster:
        namespace = cluster.spread("test")
        bus = RedisBus(cluster.url, namespace=namespace, partitions=MASTERS)
        try:
            async with serving(bus, partitions=MASTERS) as client:
                await answers_again(client)
                cluster.owner(Keys(namespace, 1).replies).kill()
                await wait_until(lambda: _serves(bus, 1), timeout_s=30, description="the replica has taken over")
                await answers_again(client)
                asked = await client.ask_all([Number(value) for value in range(30)], patience_s=20)
                doubled: list[Any] = [client.result(one, await answer) for one, answer in asked]
                assert doubled == [Doubled(2 * value) for value in range(30)]
                assert {partition_of(one) for one, _ in asked} == {0, 1, 2}
        finally:
            await bus.aclose()


class Load:
    """Calls one after another; each run has one answer, by its trace_id."""

    def __init__(self) -> None:
        self.answers: dict[str, Doubled] = {}
        self.wrong: list[str] = []
        self.is_over = False

    async def call(self, client: Client) -> None:
        while not self.is_over:
            value = next(_numbers)
            ((trace, answer),) = await client.ask_all([Number(value)], patience_s=20)
            doubled = client.result(trace, await answer)
            if doubled != Doubled(2 * value) or trace in self.answers:
                self.wrong.append(trace)
            self.answers[trace] = doubled


def _is_blocked(server: RedisServer) -> bool:
    with Redis.from_url(server.url) as node:
        clients: Any = node.info("clients")
    return bool(clients["blocked_clients"])


async def _serves(bus: RedisBus, partition: int) -> bool:
    try:
        return await bus.view(trace_id(partition, b"e" * 14)) is None
    except BusUnavailableError:
        return False


async def _until(steps: AsyncIterator[str], last: str) -> AsyncIterator[str]:
    async for step in steps:
        yield step
        if step == last:
            return
