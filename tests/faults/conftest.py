"""The deployment that a row strikes: on the shared server, or on one of its own."""

from collections.abc import AsyncIterator

import pytest
from tests.faults.deployment import Deployment
from tests.support.redis_server import RedisServer


@pytest.fixture
async def deployed(redis_url: str, namespace: str) -> AsyncIterator[Deployment]:
    deployment = Deployment(redis_url, namespace)
    yield deployment
    await deployment.aclose()


@pytest.fixture
async def deployed_apart(own_redis: RedisServer, namespace: str) -> AsyncIterator[Deployment]:
    deployment = Deployment(own_redis.url, namespace)
    yield deployment
    await deployment.aclose()


@pytest.fixture
async def steered(redis_url: str, namespace: str) -> AsyncIterator[Deployment]:
    async with Deployment(redis_url, namespace, app="tests.faults.steered:pipe") as deployment:
        yield deployment
