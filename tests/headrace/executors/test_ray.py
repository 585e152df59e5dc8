"""Tasks on a real Ray, started for these tests."""

import os
import sys
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest
from tests.headrace.executors.on_ray import Ask, Here, pipe

from headrace.errors import TaskCancelledError, TaskCrashedError
from headrace.executors import Cancelled, Executor, ExitReason, TaskHandle
from headrace.runtime.local import local
from headrace.testing.wait import wait_until

pytestmark = [pytest.mark.ray, pytest.mark.timeout(120), pytest.mark.filterwarnings("ignore::Warning")]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def executor() -> AsyncIterator[Executor]:
    async with Executor("ray", concurrency=2) as executor:
        yield executor


@pytest.fixture
def no_stray_threads() -> None:
    """Ray's own live as long as its connection."""


@pytest.fixture
def no_stray_tasks() -> None:
    """A cancelled task keeps its slot until Ray says that it has ended."""


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def test_tasks_run_in_rays_processes_in_the_order_of_the_items(executor: Executor) -> None:
    assert await executor.map(abs, range(-5, 0)) == [5, 4, 3, 2, 1]
    assert await (await executor.submit(os.getpid)) != os.getpid()


async def test_coroutines_and_functions_without_a_module_go_there_too(executor: Executor) -> None:
    offset = 2

    async def add(number: int) -> int:
        await anyio.lowlevel.checkpoint()
        return number + offset

    assert await executor.map(add, range(3)) == [2, 3, 4]


async def test_what_a_task_raises_is_raised_here(executor: Executor) -> None:
    handle = await executor.submit(int, "seven")
    with pytest.raises(ValueError, match="seven"):
        await handle
    assert handle.exit_reason is ExitReason.FAILED


async def test_a_task_whose_process_dies_has_crashed_and_the_next_one_runs(executor: Executor) -> None:
    handle: TaskHandle[None] = await executor.submit(os._exit, 1)
    with pytest.raises(TaskCrashedError):
        await handle
    assert handle.exit_reason is ExitReason.CRASHED
    assert await (await executor.submit(abs, -1)) == 1


async def test_a_task_that_is_cancelled_is_cancelled_in_ray(executor: Executor, tmp_path: Path) -> None:
    here = tmp_path / "pid"

    def block() -> None:
        here.with_suffix(".part").write_text(str(os.getpid()))
        here.with_suffix(".part").rename(here)
        time.sleep(1_000)

    handle = await executor.submit(block)
    await wait_until(here.exists, timeout_s=30, description="the task has begun")
    pid = int(here.read_text())
    assert handle.cancel("no longer wanted") is Cancelled.STOPPED
    with pytest.raises(TaskCancelledError, match="no longer wanted"):
        await handle
    await wait_until(lambda: not is_alive(pid), timeout_s=30, description="its process has ended")


async def test_a_task_that_is_cancelled_before_ray_has_begun_it_never_begins(
    executor: Executor, tmp_path: Path
) -> None:
    here = tmp_path / "begun"
    handle = await executor.submit(here.touch)
    handle.cancel()
    assert await executor.map(abs, [-1, -2]) == [1, 2]
    assert not here.exists()


async def test_a_node_runs_on_ray_with_a_container_of_its_own(executor: Executor) -> None:
    async with local(pipe.compile()) as client:
        first, second = [await client.run(Ask()) for _ in range(2)]
    assert isinstance(first, Here)
    assert isinstance(second, Here)
    assert first.pid == first.made_in != os.getpid()
    assert second.pid == second.made_in


async def test_tasks_run_on_trio_beside_ray(executor: Executor) -> None:
    def on_trio() -> None:
        async def main() -> None:
            async with Executor("ray", concurrency=1) as other:
                seen.extend(await other.map(abs, [-1, -2]))

        anyio.run(main, backend="trio")

    seen: list[int] = []
    thread = threading.Thread(target=on_trio)
    thread.start()
    await anyio.to_thread.run_sync(thread.join)
    assert seen == [1, 2]


SEVERAL = """
import asyncio
import ray
from headrace.executors import Executor

async def use(number, opened, closing):
    async with Executor("ray", concurrency=1) as executor:
        opened.set()
        await closing.wait()
        print(await executor.map(abs, [number]), ray.is_initialized(), flush=True)

async def main():
    opened, closing = [asyncio.Event() for _ in range(2)], [asyncio.Event() for _ in range(2)]
    tasks = [asyncio.create_task(use(-each, opened[each], closing[each])) for each in range(2)]
    for each in range(2):
        await opened[each].wait()
    for each in range(2):
        closing[each].set()
        await tasks[each]
    print(ray.is_initialized(), flush=True)
    await use(-2, *opened)

asyncio.run(main())
"""


async def test_ray_ends_with_the_last_executor_of_the_process_that_runs_on_it() -> None:
    done = await anyio.run_process([sys.executable, "-c", SEVERAL])
    assert done.stdout.decode().splitlines() == ["[0] True", "[1] True", "False", "[2] True"]
