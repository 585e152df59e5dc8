"""What every test gets: its Redis, a namespace, an event loop where it is asynchronous, and checks for what it leaves.

`redis_url` is a real server, shared; `namespace` sets the test's keys apart on it; `own_redis` is a private server that
the test may kill and pause. An `async def test_…` needs no marker.
"""

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest
from hypothesis import settings
from tests.support.redis_provider import NEED_REDIS, have_binary, provide_redis
from tests.support.redis_server import DURABLE, RedisServer

from headrace.testing.wait import wait_until_sync

settings.register_profile("headrace", deadline=None)  # how long a case takes is for benchmarks to say
settings.load_profile("headrace")

ASYNC_FIXTURES = ("anyio_backend", "no_stray_tasks")
THREAD_GRACE_S = 2.0  # a pool that was told to stop has its last threads on their way out


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector: pytest.Collector, name: str, obj: object) -> None:
    """Run every asynchronous test on asyncio, marked or not."""
    if not name.startswith("test") or not isinstance(collector, pytest.Module | pytest.Class):
        return
    tested = obj.hypothesis.inner_test if hasattr(obj, "hypothesis") else obj
    if inspect.iscoroutinefunction(tested):
        marked = {name for mark in getattr(obj, "pytestmark", ()) for name in mark.args if mark.name == "usefixtures"}
        if not marked.issuperset(ASYNC_FIXTURES):  # a contract's test is collected once a subclass
            pytest.mark.usefixtures(*ASYNC_FIXTURES)(obj)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    with provide_redis() as url:
        yield url


@pytest.fixture
def namespace() -> str:
    return f"test-{uuid4().hex[:12]}"


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    if not have_binary():
        pytest.fail(f"this test kills and pauses a server of its own\n{NEED_REDIS}")
    with RedisServer(DURABLE) as server:
        yield server


@pytest.fixture
async def no_stray_tasks(anyio_backend: str) -> AsyncIterator[None]:
    yield
    if anyio_backend != "asyncio":  # trio's tasks end with the nursery that started them, or it does not
        return
    await asyncio.sleep(0)  # a task that was cancelled last ends in the loop's next round
    strays = sorted(str(task) for task in asyncio.all_tasks() - {asyncio.current_task()} if not _is_of_the_runner(task))
    assert not strays, "tasks left behind:\n  " + "\n  ".join(strays)


def _is_of_the_runner(task: asyncio.Task[object]) -> bool:
    return getattr(task.get_coro(), "__qualname__", "").startswith("TestRunner.")  # what pytest's plugin waits with


@pytest.fixture(autouse=True)
def no_stray_threads() -> Iterator[None]:
    before = set(threading.enumerate())
    yield

    def strays() -> list[str]:
        return sorted(thread.name for thread in set(threading.enumerate()) - before if not thread.daemon)

    if strays():
        wait_until_sync(lambda: not strays(), timeout_s=THREAD_GRACE_S, description=f"threads end: {strays()}")
