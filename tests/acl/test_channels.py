"""Workers use the channels that their deployment names, and no others."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager

import pytest
from examples.fund_load.pipe import pipe as fund_load
from msgspec import Struct
from tests.support.acl import delete_users, make_users, refusals

from headrace.bus.redis.bus import RedisBus
from headrace.channels import channel
from headrace.errors import BusError

pytestmark = pytest.mark.slow


class Job(Struct):
    number: int


@pytest.fixture
def users(redis_url: str, namespace: str) -> Iterator[dict[str, str]]:
    made = make_users(redis_url, fund_load.compile(), namespace, channels=("jobs", "more-*"))
    yield made
    refusals(redis_url)
    delete_users(redis_url, namespace, made)


@asynccontextmanager
async def as_user(url: str, namespace: str) -> AsyncGenerator[RedisBus]:
    bus = RedisBus(url, namespace=namespace)
    try:
        yield bus
    finally:
        await bus.aclose()


@pytest.mark.parametrize("name", ["jobs", "more-jobs"])
async def test_groups_send_and_receive_by_a_channel_that_is_named_and_nothing_is_refused(
    name: str, users: dict[str, str], redis_url: str, namespace: str
) -> None:
    async with as_user(users["worker-intake"], namespace) as one, as_user(users["worker-answers"], namespace) as other:
        tx, _ = channel(Job, distributed=True, bus=one, name=name, capacity=1)
        _, rx = channel(Job, distributed=True, bus=other, name=name, capacity=1)
        async with tx, rx:
            for number in range(3):
                await tx.send(Job(number))
                assert await rx.recv() == Job(number)
    assert refusals(redis_url) == []


@pytest.mark.parametrize(("service", "name"), [("worker-intake", "others"), ("gateway", "jobs"), ("reply", "jobs")])
async def test_any_other_channel_is_refused_and_so_is_any_other_service(
    service: str, name: str, users: dict[str, str], namespace: str
) -> None:
    async with as_user(users[service], namespace) as bus:
        tx, _ = channel(Job, distributed=True, bus=bus, name=name)
        with pytest.raises(BusError, match="no permissions"):
            await tx.send(Job(1))
