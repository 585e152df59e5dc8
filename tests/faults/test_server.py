"""Faults of the server that the bus itself must bear."""

import pytest
from redis.asyncio import Redis
from tests.support.redis_server import RedisServer

from headrace.bus.redis.bus import RedisBus
from headrace.errors import BusFullError, BusUnavailableError
from headrace.ledger.values import Answer, Emit, Submitted
from headrace.testing.bus_contract import DONE, IN, NEXT, commit, frames, read, submission, terminal, trace

pytestmark = pytest.mark.slow


async def test_a_full_server_refuses_new_runs_whole_and_lets_those_under_way_end(own_redis: RedisServer) -> None:
    bus = RedisBus(own_redis.url)
    try:
        first, second = trace(), trace()
        await bus.submit([submission(first), submission(second)])
        one, other = await read(bus, IN)
        assert await read(bus, NEXT) == []  # its worker has started before the server is full
        async with Redis.from_url(own_redis.url) as redis:
            await redis.config_set("maxmemory-policy", "noeviction")
            await redis.config_set("maxmemory", 1)
            refused = trace()
            with pytest.raises(BusFullError, match="is at its memory limit"):
                await bus.submit([submission(refused, inbox="gateway")])
            assert await bus.view(refused) is None
            assert await bus.waiters([refused]) == [()]
            assert await bus.commit(IN, [commit(one, first, terminal=DONE)]) == [[Answer.COMMITTED]]
            assert await bus.commit(IN, [commit(other, second, Emit(NEXT, b"x"))]) == [[Answer.COMMITTED]]
            assert await frames(bus, NEXT) == [(b"x",)]
            assert await terminal(bus, first) == DONE
            await redis.config_set("maxmemory", 0)
        assert await bus.submit([submission(refused)]) == [Submitted.NEW]
    finally:
        await bus.aclose()


async def test_a_server_that_is_away_is_named_without_its_password_and_is_used_again_when_back(
    own_redis: RedisServer,
) -> None:
    bus = RedisBus(own_redis.url.replace("redis://", "redis://:secret@"))
    try:
        own_redis.kill()
        with pytest.raises(BusUnavailableError) as raised:
            await bus.submit([submission(trace())])
        assert (
            str(raised.value) == f"the bus at redis://127.0.0.1:{own_redis.port}/0 cannot be reached: ConnectionError"
        )
    finally:
        await bus.aclose()


async def test_a_restarted_server_has_what_was_answered_and_takes_new_runs_at_once(own_redis: RedisServer) -> None:
    bus = RedisBus(own_redis.url)
    try:
        first = trace()
        await bus.submit([submission(first)])
        (held,) = await read(bus, IN)
        own_redis.restart()
        assert await bus.submit([submission(trace())]) == [Submitted.NEW]
        assert await bus.commit(IN, [commit(held, first, Emit(NEXT, b"x"))]) == [[Answer.COMMITTED]]
        assert await frames(bus, NEXT) == [(b"x",)]
    finally:
        await bus.aclose()
