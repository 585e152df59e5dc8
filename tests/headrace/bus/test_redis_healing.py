"""What breaks under a worker, on a real server: it recovers by itself, loudly, and says what was lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import structlog
from redis.asyncio import Redis
from structlog.typing import EventDict
from tests.support.doubling import STREAMS, Doubled, Number, answers_again, is_answered, serving
from tests.support.proxy import Proxy
from tests.support.redis_server import IN_MEMORY, REPLICATED, RedisServer, is_in_step

from headrace.bus.redis.bus import RedisBus
from headrace.bus.redis.keys import Keys
from headrace.bus.redis.work import WORKERS
from headrace.errors import BusUnavailableError
from headrace.ledger.values import Answer, Submitted
from headrace.runtime.client import Client
from headrace.testing.bus_contract import DONE, IN, NEXT, commit, read, submission, terminal, trace
from headrace.testing.wait import wait_until, wait_until_sync

pytestmark = pytest.mark.slow
KEYS = Keys("headrace", 0)
NOTICED_S = 6.0  # a peer that answers nothing any more is noticed in 5 s


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[RedisBus]:
    bus = RedisBus(url)
    try:
        yield bus
    finally:
        await bus.aclose()


@asynccontextmanager
async def served(url: str) -> AsyncIterator[Client]:
    """A pipeline that has answered a run."""
    async with opened(url) as bus, serving(bus) as client:
        await answers_again(client)
        yield client


def events(logs: list[EventDict], event: str) -> list[EventDict]:
    return [entry for entry in logs if entry["event"] == event]


async def test_after_a_flush_workers_make_their_groups_again_and_say_that_open_runs_are_gone(
    own_redis: RedisServer,
) -> None:
    with structlog.testing.capture_logs() as logs:
        async with served(own_redis.url) as client, Redis.from_url(own_redis.url) as redis:
            await redis.flushall()
            await answers_again(client)
    (lost,) = events(logs, "bus_lost_data")
    assert lost == {
        "event": "bus_lost_data",
        "log_level": "error",
        "address": own_redis.url,
        "partition": 0,
        "lost": "all that it held: runs that were open before are gone",
    }
    again = events(logs, "group_created_again")
    assert {entry["stream"] for entry in again} >= {KEYS.stream(stream) for stream in STREAMS}
    assert {entry["lost"] for entry in again} == {"the stream's entries"}


async def test_after_a_streams_deletion_its_worker_makes_it_again_and_says_what_is_gone(own_redis: RedisServer) -> None:
    stream = KEYS.stream(STREAMS[1])
    with structlog.testing.capture_logs() as logs:
        async with served(own_redis.url) as client, Redis.from_url(own_redis.url) as redis:
            await redis.delete(stream)
            await answers_again(client)
    assert [(entry["stream"], entry["lost"]) for entry in events(logs, "group_created_again")] == [
        (stream, "the stream's entries")
    ]
    assert events(logs, "bus_lost_data") == []


async def test_after_a_groups_destruction_nothing_is_lost(own_redis: RedisServer) -> None:
    stream = KEYS.stream(IN)
    with structlog.testing.capture_logs() as logs:
        async with opened(own_redis.url) as bus, Redis.from_url(own_redis.url) as redis:
            held_one, waiting_one = trace(), trace()
            await bus.submit([submission(held_one), submission(waiting_one)])
            (held,) = await read(bus, IN, limit=1)
            await redis.xgroup_destroy(stream, WORKERS)
            again = await read(bus, IN, "b")
            assert [one.entry for one in again] == [held.entry, held.entry]
            assert await bus.commit(IN, [commit(again[0], held_one, terminal=DONE)]) == [[Answer.COMMITTED]]
            assert await bus.commit(IN, [commit(held, held_one, terminal=DONE)]) == [[Answer.FENCED]]
            assert await bus.commit(IN, [commit(again[1], waiting_one, terminal=DONE)]) == [[Answer.COMMITTED]]
    (created,) = events(logs, "group_created_again")
    assert created["lost"] == "nothing: what was not committed is handed out again"
    assert events(logs, "bus_lost_data") == []


async def test_a_worker_bears_the_destruction_of_its_group_under_its_read(own_redis: RedisServer) -> None:
    with structlog.testing.capture_logs() as logs:
        async with served(own_redis.url) as client, Redis.from_url(own_redis.url) as redis:
            for stream in STREAMS:
                await redis.xgroup_destroy(KEYS.stream(stream), WORKERS)
            await answers_again(client)
    assert len(events(logs, "group_created_again")) == len(STREAMS)


async def test_a_flushed_script_cache_is_noticed_by_nobody(own_redis: RedisServer) -> None:
    async with served(own_redis.url) as client, Redis.from_url(own_redis.url) as redis:
        with structlog.testing.capture_logs() as logs:
            for value in range(10):
                await redis.script_flush()
                assert await is_answered(client, value)
    assert logs == []


async def test_a_restarted_server_that_kept_its_data_has_lost_nothing(own_redis: RedisServer) -> None:
    with structlog.testing.capture_logs() as logs:
        async with opened(own_redis.url) as bus, serving(bus) as client:
            await answers_again(client)
            asked = await client.ask_all([Number(value) for value in range(50)])
            own_redis.restart()
            doubled: list[Any] = [client.result(one, await answer) for one, answer in asked]
            assert doubled == [Doubled(2 * value) for value in range(50)]
            await answers_again(client)
    assert events(logs, "bus_lost_data") == []
    assert events(logs, "group_created_again") == []


async def test_a_restarted_server_that_kept_nothing_is_used_again_and_said_to_have_lost_all() -> None:
    with RedisServer(IN_MEMORY) as server, structlog.testing.capture_logs() as logs:
        async with served(server.url) as client:
            server.restart()
            await answers_again(client)
        assert len(events(logs, "bus_lost_data")) == 1
        assert {entry["stream"] for entry in events(logs, "group_created_again")} >= set(map(KEYS.stream, STREAMS))


async def test_a_master_that_became_a_replica_is_left_for_the_one_behind_the_same_address() -> None:
    with RedisServer(REPLICATED) as first, RedisServer(REPLICATED) as second, structlog.testing.capture_logs() as logs:
        async with Proxy(first.port) as proxy, Redis.from_url(first.url) as old, Redis.from_url(second.url) as new:
            await new.replicaof("127.0.0.1", first.port)
            async with served(proxy.url) as client:
                wait_until_sync(lambda: is_in_step(first.url, second.url), description="the replica is in step")
                await new.replicaof("NO", "ONE")
                proxy.to = second.port
                await old.replicaof("127.0.0.1", second.port)
                await answers_again(client)
                runs = await new.keys(KEYS.run("*")[0])
                assert len(runs) > 6
    assert events(logs, "bus_lost_data") == []


async def test_a_connection_reset_after_a_commit_ran_is_told_and_committing_again_changes_nothing(
    own_redis: RedisServer,
) -> None:
    async with Proxy(own_redis.port) as proxy, opened(proxy.url) as bus, opened(own_redis.url) as other:
        first, run = trace(), trace()
        await bus.submit([submission(first), submission(run)])
        before, held = await read(bus, IN)
        await bus.commit(IN, [commit(before, first, terminal=DONE)])  # so that the server has the script
        proxy.hold_answers()
        committing = asyncio.create_task(bus.commit(IN, [commit(held, run, terminal=DONE)]))
        await wait_until(lambda: _has_ended(other, run), description="the commit has run")
        proxy.reset()
        with pytest.raises(BusUnavailableError, match=f"the bus at {proxy.url} cannot be reached"):
            await committing
        assert await bus.commit(IN, [commit(held, run, terminal=DONE)]) == [[Answer.FENCED]]
        assert await terminal(bus, run) == DONE


async def test_a_pipeline_answers_every_run_while_its_connections_are_reset_again_and_again(
    own_redis: RedisServer,
) -> None:
    async with Proxy(own_redis.port) as proxy, served(proxy.url) as client:
        asked = []
        for value in range(100):
            asked += await client.ask_all([Number(value)], patience_s=10)
            if value % 10 == 0:
                proxy.reset()
        doubled: list[Any] = [client.result(one, await answer) for one, answer in asked]
        assert doubled == [Doubled(2 * value) for value in range(100)]


async def test_a_server_that_answers_nothing_is_told_in_time_by_commands_and_reads(own_redis: RedisServer) -> None:
    async with Proxy(own_redis.port) as proxy, opened(proxy.url) as bus:
        await bus.submit([submission(trace())])
        assert len(await read(bus, IN)) == 1
        proxy.freeze()
        clock = asyncio.get_running_loop().time
        started = clock()
        outcomes = await asyncio.gather(
            bus.submit([submission(trace())]), bus.read(IN, "a", limit=1, wait_s=2), return_exceptions=True
        )
        assert [type(outcome) for outcome in outcomes] == [BusUnavailableError] * 2
        assert clock() - started < NOTICED_S
        proxy.thaw()
        assert await bus.submit([submission(trace())]) == [Submitted.NEW]


async def test_one_connection_that_leads_nowhere_is_enough_to_leave_the_others_too(own_redis: RedisServer) -> None:
    async with Proxy(own_redis.port) as proxy, opened(proxy.url) as bus:

        async def use_all() -> None:
            await asyncio.gather(*(bus.read(group, "a", limit=1, wait_s=0.01) for group in (IN, NEXT)))
            assert await bus.submit([submission(trace())]) == [Submitted.NEW]

        await use_all()
        proxy.lose()
        with pytest.raises(BusUnavailableError):
            await bus.submit([submission(trace())])
        async with asyncio.timeout(1):
            await use_all()


async def test_a_worker_whose_connections_lead_nowhere_makes_new_ones(own_redis: RedisServer) -> None:
    async with Proxy(own_redis.port) as proxy, served(proxy.url) as client:
        proxy.lose()
        clock = asyncio.get_running_loop().time
        started = clock()
        await wait_until(lambda: is_answered(client, 7), timeout_s=20, description="a run is answered again")
        assert clock() - started < 2 * NOTICED_S
        await answers_again(client)


async def _has_ended(bus: RedisBus, run: str) -> bool:
    view = await bus.view(run)
    return view is not None and view.terminal is not None


async def test_connections_that_are_dropped_while_they_are_made_are_a_bus_that_is_away(
    redis_url: str, namespace: str
) -> None:
    bus = RedisBus(redis_url, namespace=namespace)
    nodes = bus._server.connections._nodes
    refused = 0

    async def ask() -> None:
        nonlocal refused
        for _ in range(60):
            try:
                await bus.backlog("pipe.group")
            except BusUnavailableError:
                refused += 1

    async def drop() -> None:
        for _ in range(600):
            for at in list(nodes._commands):
                await nodes.drop(at)
            await asyncio.sleep(0)

    await asyncio.gather(drop(), *(ask() for _ in range(8)))
    assert refused
    await bus.aclose()
