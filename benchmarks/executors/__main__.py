"""`python -m benchmarks.executors`: maps beside what asyncio, anyio and the standard library have for the same."""

import asyncio
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import anyio
from anyio import CapacityLimiter, to_process, to_thread
from benchmarks.harness.interleaved import Contender, compare, heading

from headrace.executors import Executor

_AT_A_TIME = 16
_CHILDREN = 2


async def double(number: int) -> int:
    await asyncio.sleep(0)
    return 2 * number


def double_at_once(number: int) -> int:
    return 2 * number


async def ours_inline(count: int) -> None:
    async with Executor("inline", concurrency=_AT_A_TIME) as executor:
        await executor.map(double, range(count))


async def asyncio_inline(count: int) -> None:
    slots = asyncio.Semaphore(_AT_A_TIME)

    async def bounded(number: int) -> int:
        async with slots:
            return await double(number)

    await asyncio.gather(*(bounded(number) for number in range(count)))


async def anyio_inline(count: int) -> None:
    slots, results = CapacityLimiter(_AT_A_TIME), dict[int, int]()

    async def bounded(number: int) -> None:
        async with slots:
            results[number] = await double(number)

    async with anyio.create_task_group() as tasks:
        for number in range(count):
            tasks.start_soon(bounded, number)


async def ours_threads(count: int) -> None:
    async with Executor("thread", concurrency=_AT_A_TIME) as executor:
        await executor.map(double_at_once, range(count))


async def asyncio_threads(count: int) -> None:
    slots = asyncio.Semaphore(_AT_A_TIME)

    async def bounded(number: int) -> int:
        async with slots:
            return await asyncio.to_thread(double_at_once, number)

    await asyncio.gather(*(bounded(number) for number in range(count)))


async def anyio_threads(count: int) -> None:
    slots, results = CapacityLimiter(_AT_A_TIME), dict[int, int]()

    async def bounded(number: int) -> None:
        results[number] = await to_thread.run_sync(double_at_once, number, limiter=slots)

    async with anyio.create_task_group() as tasks:
        for number in range(count):
            tasks.start_soon(bounded, number)


async def ours_processes(count: int) -> None:
    async with Executor("process", concurrency=_CHILDREN) as executor:
        await executor.map(abs, range(count))


async def pool_processes(count: int) -> None:
    slots = asyncio.Semaphore(_CHILDREN)
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(_CHILDREN, mp_context=get_context("spawn")) as pool:

        async def bounded(number: int) -> int:
            async with slots:
                return await loop.run_in_executor(pool, abs, number)

        await asyncio.gather(*(bounded(number) for number in range(count)))


async def anyio_processes(count: int) -> None:
    slots, results = CapacityLimiter(_CHILDREN), dict[int, int]()

    async def bounded(number: int) -> None:
        results[number] = await to_process.run_sync(abs, number, limiter=slots)

    async with anyio.create_task_group() as tasks:
        for number in range(count):
            tasks.start_soon(bounded, number)


CASES: dict[str, tuple[int, dict[str, Contender]]] = {
    "coroutines": (5_000, {"Executor": ours_inline, "asyncio": asyncio_inline, "anyio": anyio_inline}),
    "threads": (1_000, {"Executor": ours_threads, "asyncio": asyncio_threads, "anyio": anyio_threads}),
    "processes, start and end included": (
        2_000,
        {"Executor": ours_processes, "concurrent.futures": pool_processes, "anyio": anyio_processes},
    ),
}

if __name__ == "__main__":
    heading()
    for case, (count, contenders) in CASES.items():
        compare(case, count, contenders)
