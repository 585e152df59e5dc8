"""Faults of the server under real services: what is lost is let go, the rest goes on, nothing needs a hand."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from redis.asyncio import Redis
from tests.faults.app import Counted, Do
from tests.faults.deployment import PLAN, Deployment, answers, asks, counted, run_many
from tests.support.redis_server import DURABLE, IN_MEMORY, RedisServer

from headrace.bus.redis.work import WORKERS
from headrace.runtime.client import Client
from headrace.testing.wait import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
A_LOT = 1500
TIMES = 5


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer(DURABLE) as server:
        yield server


@pytest.fixture(scope="module")
def standing(server: RedisServer) -> Iterator[Deployment]:
    """Services that stand over all rows: each row finds them healed from the one before."""
    deployment = Deployment(server.url, "n")
    asyncio.run(start_all(deployment))
    yield deployment
    asyncio.run(deployment.aclose())


@pytest.fixture
async def client(standing: Deployment) -> AsyncIterator[Client]:
    async with standing.client() as client:
        yield client


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Path]:
    """A gate that is open when the row is over, so that no worker waits at it through the next ones."""
    yield tmp_path / "gate"
    open_gate(tmp_path / "gate")


@pytest.fixture
def key() -> str:
    return uuid4().hex


async def start_all(deployment: Deployment) -> None:
    workers = (deployment.worker(group) for group in PLAN.groups)
    await asyncio.gather(*workers, deployment.reply())


async def test_a_flushed_server_is_worked_on_again(standing: Deployment, client: Client, key: str) -> None:
    assert await answers(client, await client.ask_all(asks(3, key=key))) == counted(3)
    async with Redis.from_url(standing.url) as redis:
        await redis.flushall()
        await redis.script_flush()
    assert await answers(client, await client.ask_all(asks(3, key=key))) == counted(3)
    await standing.assert_settled(3)


async def test_a_server_flushed_under_load_forgets_its_runs_and_answers_new_ones(
    standing: Deployment, client: Client, key: str, gate: Path
) -> None:
    lost = await client.ask_all(asks(50, key=key, do=Do.WAIT, path=gate))
    await wait_until(lambda: is_held(standing, 50), description="all are in the node")
    async with Redis.from_url(standing.url) as redis:
        await redis.flushall()
    open_gate(gate)
    assert await answers(client, await client.ask_all(asks(3, key=key))) == counted(3)
    assert [await client.view(trace) for trace, _ in lost] == [None] * 50
    assert not any(future.done() for _, future in lost)
    client.leave(lost)
    await standing.assert_settled(3)


async def test_a_deleted_stream_is_made_again_and_the_runs_it_held_can_be_ended(
    standing: Deployment, client: Client, key: str, gate: Path
) -> None:
    before = await standing.ended()
    lost = await client.ask_all(asks(5, key=key, do=Do.WAIT, path=gate))
    await wait_until(lambda: is_held(standing, 5), description="all are in the node")
    async with Redis.from_url(standing.url) as redis:
        await redis.delete(standing.keys.stream("faults.second"))
    open_gate(gate)
    assert await answers(client, await client.ask_all(asks(3, key=f"{key}-other"))) == counted(3)
    for trace, _ in lost:
        assert await client.cancel(trace)
    assert {(await future).state for _, future in lost} == {"cancelled"}
    assert await answers(client, await client.ask_all(asks(3, key=key))) == counted(3)
    assert await standing.ended() == before + 11
    async with Redis.from_url(standing.url) as redis:  # nothing says any more that the lost work is done
        assert await redis.smembers(standing.keys.abandoned) == {trace.encode() for trace, _ in lost}
        await redis.delete(standing.keys.abandoned)


async def test_a_destroyed_consumer_group_is_made_again_and_nothing_is_lost(
    standing: Deployment, client: Client, key: str, gate: Path
) -> None:
    before = await standing.ended()
    asked = await client.ask_all(asks(50, key=key, do=Do.WAIT, path=gate))
    await wait_until(lambda: is_held(standing, 50), description="all are in the node")
    async with Redis.from_url(standing.url) as redis:
        for group in PLAN.groups:
            await redis.xgroup_destroy(standing.keys.stream(PLAN.stream(group)), WORKERS)
    open_gate(gate)
    assert await answers(client, asked) == counted(50)
    await standing.assert_settled(before + 50)


async def test_a_script_cache_flushed_again_and_again_under_load_is_filled_again(
    standing: Deployment, client: Client, key: str
) -> None:
    before = await standing.ended()
    asked = await under_load(standing, client, key)
    async with Redis.from_url(standing.url) as redis:
        while not asked.done():  # again and again between a script's load and its call
            await redis.script_flush()
    assert await asked == counted(A_LOT)
    await standing.assert_settled(before + A_LOT)


async def test_connections_reset_again_and_again_under_load_lose_nothing(
    standing: Deployment, client: Client, key: str
) -> None:
    before = await standing.ended()
    asked = await under_load(standing, client, key)
    async with Redis.from_url(standing.url) as redis:
        for _ in range(TIMES):
            await wait_until(lambda: cut(redis), description="there was a connection to cut")
    assert await asked == counted(A_LOT)
    await standing.assert_settled(before + A_LOT)


async def test_a_server_that_is_read_only_for_a_while_is_waited_for(
    standing: Deployment, client: Client, key: str
) -> None:
    before = await standing.ended()
    asked = await under_load(standing, client, key)
    async with Redis.from_url(standing.url) as redis:
        await redis.replicaof("127.0.0.1", "1")  # as after a failover that made another the primary
        try:
            answered = await standing.ended()
            waiting = asyncio.create_task(client.ask_all(asks(1, key=f"{key}-other"), patience_s=30))
            await asyncio.sleep(0.5)  # not for a condition: nothing must happen
            assert await standing.ended() == answered
            assert not waiting.done()
        finally:
            await redis.replicaof("NO", "ONE")
    assert await asked == counted(A_LOT)
    assert await answers(client, await waiting) == counted(1)
    await standing.assert_settled(before + A_LOT + 1)


async def test_a_server_that_hangs_longer_than_a_lease_is_waited_for(
    standing: Deployment, client: Client, server: RedisServer, key: str
) -> None:
    before = await standing.ended()
    asked = await under_load(standing, client, key)
    server.pause()
    await asyncio.sleep(1)  # two leases
    server.resume()
    assert await asked == counted(A_LOT)
    await standing.assert_settled(before + A_LOT)


async def test_redis_killed_and_restarted_under_load_loses_nothing_with_aof_always(
    standing: Deployment, client: Client, server: RedisServer, key: str
) -> None:
    before = await standing.ended()
    asked = await under_load(standing, client, key)
    await asyncio.to_thread(server.restart)
    assert await asked == counted(A_LOT)
    await standing.assert_settled(before + A_LOT)


async def test_redis_restarted_empty_without_aof_is_worked_on_again() -> None:
    with RedisServer(IN_MEMORY) as server:
        async with Deployment(server.url, "n") as deployment:
            await start_all(deployment)
            async with deployment.client() as client:
                lost = await client.ask_all(asks(3))
                await asyncio.to_thread(server.restart)
                assert await answers(client, await client.ask_all(asks(3), patience_s=30)) == counted(3)
                client.leave(lost)
            await deployment.assert_settled(3)


async def under_load(deployed: Deployment, client: Client, key: str) -> asyncio.Task[list[Counted]]:
    asked = asyncio.create_task(run_many(client, A_LOT, key=key))
    await wait_until(lambda: is_busy(deployed), description="work is under way")
    return asked


async def cut(redis: Redis) -> bool:
    return int(await redis.client_kill_filter(_type="normal", skipme=True)) > 0


def open_gate(gate: Path) -> None:
    gate.touch()


async def is_busy(deployed: Deployment) -> bool:
    return await deployed.pending("second") > 0


async def is_held(deployed: Deployment, entries: int) -> bool:
    return await deployed.pending("second") == entries
