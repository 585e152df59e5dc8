"""The bus behind a real sentinel: its master dies, the replica is promoted, and a pipeline goes on."""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import structlog
from redis import Redis
from redis.exceptions import ConnectionError  # noqa: A004 - not the builtin: the client's own
from tests.support.doubling import Doubled, Number, answers_again, doubling, serving
from tests.support.redis_server import REPLICATED, RedisServer, is_in_step

from headrace.bus.redis.bus import RedisBus
from headrace.errors import BusUnavailableError
from headrace.runtime.compose import connected
from headrace.testing.bus_contract import submission, trace
from headrace.testing.wait import wait_until_sync
from headrace.wire.envelope import Framing

pytestmark = pytest.mark.slow

MASTER = "mill"
SENTINEL = """
sentinel monitor {master} 127.0.0.1 {port} 1
sentinel down-after-milliseconds {master} 500
sentinel failover-timeout {master} 5000
"""


class Watched:
    """A master, its replica, and a sentinel that watches them."""

    def __init__(self, stack: ExitStack) -> None:
        self.master = stack.enter_context(RedisServer(REPLICATED))
        replica_of = ("--replicaof", f"127.0.0.1 {self.master.port}")
        self.replica = stack.enter_context(RedisServer((*REPLICATED, *replica_of)))
        config = SENTINEL.format(master=MASTER, port=self.master.port)
        self.sentinel = stack.enter_context(RedisServer(("--sentinel",), config=config))
        self.url = f"redis+sentinel://127.0.0.1:{self.sentinel.port}/{MASTER}/0"
        wait_until_sync(self._is_ready, timeout_s=20, description="the sentinel knows the replica, which is in step")

    def is_in_step(self) -> bool:
        """Tell whether the replica has all that the master has answered."""
        return is_in_step(self.master.url, self.replica.url)

    def _is_ready(self) -> bool:
        with Redis.from_url(self.sentinel.url) as sentinel, Redis.from_url(self.replica.url) as replica:
            known: Any = sentinel.info("sentinel")
            state: Any = replica.info("replication")
        return bool(known["master0"]["slaves"] == 1 and state["master_link_status"] == "up")


@pytest.fixture
def watched() -> Iterator[Watched]:
    with ExitStack() as stack:
        yield Watched(stack)


@pytest.fixture
async def bus(watched: Watched) -> AsyncIterator[RedisBus]:
    bus = RedisBus(watched.url)
    yield bus
    await bus.aclose()


async def test_a_pipeline_goes_on_at_the_promoted_replica_and_says_what_may_be_lost(
    watched: Watched, bus: RedisBus
) -> None:
    with structlog.testing.capture_logs() as logs:
        async with serving(bus) as client:
            await answers_again(client)
            before = await client.ask_all([Number(value) for value in range(20)])
            doubled: list[Any] = [client.result(one, await answer) for one, answer in before]
            assert doubled == [Doubled(2 * value) for value in range(20)]
            wait_until_sync(watched.is_in_step, description="the replica is in step")
            watched.master.kill()
            await answers_again(client, timeout_s=30)
            views = [await client.view(one) for one, _ in before]
            assert all(view is not None and view.terminal is not None for view in views)
    (failed_over,) = [entry for entry in logs if entry["event"] == "bus_failed_over"]
    assert failed_over == {
        "event": "bus_failed_over",
        "log_level": "warning",
        "address": watched.url,
        "master": f"127.0.0.1:{watched.replica.port}",
        "before": f"127.0.0.1:{watched.master.port}",
        "lost": "what the former master had answered and not yet replicated",
    }
    assert [entry for entry in logs if entry["event"] == "bus_lost_data"] == []


async def test_a_run_that_was_open_and_replicated_at_a_failover_is_answered_after_it(
    watched: Watched, bus: RedisBus
) -> None:
    async with connected(doubling().compile(), bus, Framing()) as client:
        ((run, answer),) = await client.ask_all([Number(4)])
        wait_until_sync(watched.is_in_step, description="the replica is in step")
        watched.master.kill()
        with pytest.raises(BusUnavailableError, match=re.escape(f"the bus at {watched.url} cannot be reached")):
            await bus.submit([submission(trace())])
        with Redis.from_url(watched.replica.url) as replica:
            wait_until_sync(lambda: _role(replica) == "master", timeout_s=20, description="the replica is promoted")
        async with serving(bus):
            doubled: Any = client.result(run, await answer)
            assert doubled == Doubled(8)


def _role(node: Redis) -> str:
    try:
        state: Any = node.info("replication")
    except ConnectionError:  # a server that is promoted closes its clients' connections
        return ""
    return str(state["role"])


async def test_sentinels_that_are_away_are_named_without_a_password(watched: Watched) -> None:
    watched.sentinel.kill()
    url = watched.url.replace("//", "//user:secret@") + "?sentinel_password=secret"
    bus = RedisBus(url)
    try:
        with pytest.raises(BusUnavailableError) as raised:
            await bus.view(trace())
        assert str(raised.value) == f"the bus at {watched.url} cannot be reached: MasterNotFoundError"
    finally:
        await bus.aclose()
