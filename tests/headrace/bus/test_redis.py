import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis
from tests.support.redis_server import RedisServer

from headrace.bus.protocol import Bus
from headrace.bus.redis.bus import RedisBus
from headrace.bus.redis.keys import Keys
from headrace.bus.redis.spill import Spills
from headrace.errors import BusUnavailableError
from headrace.ledger.terminal import cancelled
from headrace.ledger.values import Answer, Emit
from headrace.testing.bus_contract import IN, NEXT, commit, frames, in_flight, read, submission, trace
from headrace.testing.event_contract import EventContract
from headrace.testing.join_contract import JoinContract
from headrace.testing.lane_contract import LaneContract
from headrace.testing.load_contract import LoadContract
from headrace.testing.roster_contract import RosterContract
from headrace.testing.run_contract import RunContract


class TestRedisBus(LaneContract, JoinContract, LoadContract, RunContract, EventContract, RosterContract):
    partitions = 1
    spill_over = 500
    opened = 0

    @pytest.fixture(autouse=True)
    def _place(self, redis_url: str, namespace: str) -> None:
        self.url, self.namespace = redis_url, namespace

    def open_bus(self) -> AbstractAsyncContextManager[Bus]:
        @asynccontextmanager
        async def opened() -> AsyncIterator[Bus]:
            self.opened += 1
            namespace = f"{self.namespace}-{self.opened}"
            bus = RedisBus(self.url, namespace=namespace, partitions=self.partitions, spill_over=self.spill_over)
            try:
                yield bus
            finally:
                await bus.aclose()

        return opened()

    async def test_a_cancelled_call_is_cancelled_wherever_the_cancellation_meets_it(self) -> None:
        async def call_for_ever(bus: Bus) -> None:
            while True:
                await bus.promote(IN, limit=1)

        lost = 0
        async with self.open_bus() as bus:
            for number in range(200):
                calling = asyncio.create_task(call_for_ever(bus))
                for _ in range(number % 20):  # rounds of the loop: another point of the call each time
                    await asyncio.sleep(0)
                calling.cancel()
                await asyncio.wait([calling], timeout=0.2)
                lost += not calling.done()
                while not calling.done():
                    calling.cancel()
                    await asyncio.wait([calling], timeout=0.01)
        assert lost == 0


async def test_however_many_cancels_wait_for_a_silent_listener_who_has_heard_is_looked_up_once_for_all(
    own_redis: RedisServer,
) -> None:
    bus, listener = RedisBus(own_redis.url), RedisBus(own_redis.url)
    traces = [trace() for _ in range(100)]
    await bus.submit([submission(one, Emit(IN, b"x")) for one in traces])
    await listener.abandoned("a", wait_s=0)
    async with asyncio.TaskGroup() as tasks, Redis.from_url(own_redis.url) as client:
        ends = [tasks.create_task(bus.end(one, cancelled())) for one in traces]
        came = len(await listener.abandoned("a", wait_s=0))
        while came < len(traces):
            came += len(await listener.abandoned("a", wait_s=5))
        looks_before = await looks(client)
        await asyncio.wait(ends, timeout=0.3)  # it has not said that it dealt with the last ones
        assert not all(end.done() for end in ends)
        assert await looks(client) - looks_before < 100
        await listener.abandoned("a", wait_s=0)
    assert all(end.result() for end in ends)
    await bus.aclose()
    await listener.aclose()


async def looks(client: Redis) -> int:
    stats: dict[str, Any] = await client.info("commandstats")
    return stats["cmdstat_hgetall"]["calls"] if "cmdstat_hgetall" in stats else 0


class TestRedisBusOverPartitions(TestRedisBus):
    partitions = 3


class TestRedisBusThatSpills(TestRedisBus):
    """Records all but two outputs of a hop in parts."""

    spill_over = 2

    async def test_a_spill_that_its_committer_left_is_recorded_by_whoever_promotes(self) -> None:
        async with self.started() as (bus, trace_id):
            (delivery,) = await read(bus, IN)
            hop = commit(delivery, trace_id, *(Emit(NEXT, str(number).encode()) for number in range(9)))
            namespace = f"{self.namespace}-{self.opened}"
            dying = RedisBus(self.url, namespace=namespace, spill_over=self.spill_over)
            dying._spills = DyingSpills(dying._server, self.spill_over)
            with pytest.raises(BusUnavailableError):
                await dying.commit(IN, [hop])
            await dying.aclose()
            assert await in_flight(bus, trace_id) == 9
            assert await bus.backlog(NEXT) == 2
            assert await bus.commit(IN, [hop]) == [[Answer.FENCED]]
            assert await bus.promote(IN, limit=10) == 1
            assert await frames(bus, NEXT) == [(str(number).encode(),) for number in range(9)]
            assert await bus.promote(IN, limit=10) == 0
            assert await in_flight(bus, trace_id) == 9

    async def test_a_spill_of_a_run_that_has_ended_is_dropped(self) -> None:
        async with self.started() as (bus, trace_id):
            (delivery,) = await read(bus, IN)
            hop = commit(delivery, trace_id, *(Emit(NEXT, b"x") for _ in range(9)))
            dying = RedisBus(self.url, namespace=f"{self.namespace}-{self.opened}", spill_over=self.spill_over)
            dying._spills = DyingSpills(dying._server, self.spill_over)
            with pytest.raises(BusUnavailableError):
                await dying.commit(IN, [hop])
            await dying.aclose()
            await bus.end(trace_id, cancelled())
            assert await bus.promote(IN, limit=10) == 1
            assert await bus.backlog(NEXT) == 2
            assert await in_flight(bus, trace_id) == 2


class DyingSpills(Spills):
    """Dies between the commit and the first part."""

    async def empty(self, keys: Keys, group: str, member: bytes) -> None:
        raise BusUnavailableError("test", "it died")
