"""Parity: the same messages in memory and on a real Redis give the same, or the test says what differs (I6)."""

from collections.abc import Callable

import pytest
from redis import Redis
from tests.headrace.testing import pipes
from tests.headrace.testing.pipes import Order

from headrace.errors import BusUnavailableError
from headrace.graph.pipe import Pipe
from headrace.testing.parity import parity
from headrace.testing.redis_profile import redis_profile
from headrace.testing.tcp_profile import tcp_profile


async def test_i6_a_right_pipe_answers_alike(redis_url: str) -> None:
    async with redis_profile(redis_url) as bus:
        await parity(pipes.orders(), [Order(number) for number in range(20)], bus)


@pytest.mark.parametrize("make", [pipes.orders, pipes.by_ingress, pipes.failing])
async def test_i6_a_pipe_answers_alike_over_tcp(make: Callable[[], Pipe]) -> None:
    async with tcp_profile() as bus:
        await parity(make(), [Order(number) for number in range(20)], bus)


async def test_i6_order_and_state_per_key_are_alike_where_order_is_by_ingress(redis_url: str) -> None:
    async with redis_profile(redis_url) as bus:
        await parity(pipes.by_ingress(), [Order(1), Order(2), Order(3)], bus)


async def test_i6_runs_fail_alike(redis_url: str) -> None:
    async with redis_profile(redis_url) as bus:
        await parity(pipes.failing(), [Order(1)], bus)


async def test_a_pipe_that_depends_on_the_order_of_arrival_is_found_out(redis_url: str) -> None:
    with pytest.raises(AssertionError) as failed:
        await _fail_on(redis_url)
    text = str(failed.value)
    first = (
        "pipe 'by_arrival' does not answer alike in memory and on RedisBus\n"
        "  the answer to message 1:\n"
        "    in memory: Place(at=2)\n"
        "    on RedisBus: Place(at=1)\n"
    )
    assert text.startswith(first)
    assert "node 'number', the first to differ, took Approved(id=2) and gave:" in text
    assert 'order="ingress"' in text


async def test_nothing_is_left_on_redis(redis_url: str) -> None:
    with Redis.from_url(redis_url) as client:
        async with redis_profile(redis_url) as bus:
            await parity(pipes.orders(), [Order(1)], bus)
            assert client.keys("{headrace-test-*") != []
        assert client.keys("{headrace-test-*") == []


async def test_nothing_is_left_on_redis_where_the_test_fails(redis_url: str) -> None:
    with Redis.from_url(redis_url) as client:
        with pytest.raises(AssertionError):
            await _fail_on(redis_url)
        assert client.keys("{headrace-test-*") == []


async def test_a_redis_that_is_away_says_so() -> None:
    with pytest.raises(BusUnavailableError):
        async with redis_profile("redis://127.0.0.1:1/0") as bus:
            await parity(pipes.orders(), [Order(1)], bus)


async def _fail_on(redis_url: str) -> None:
    async with redis_profile(redis_url) as bus:
        await parity(pipes.by_arrival(), [Order(1), Order(2)], bus)
