"""`python -m benchmarks.channels`: channels beside the queue of asyncio and the stream of anyio."""

import asyncio

import anyio
from benchmarks.harness.interleaved import Contender, compare, heading

from headrace.channels import broadcast, channel, oneshot, select


def ours(capacity: int, ends: int = 1) -> Contender:
    async def run(count: int) -> None:
        tx, rx = channel(int, capacity=capacity)
        async with anyio.create_task_group() as tasks:
            for _ in range(ends):
                tasks.start_soon(_send_ours, tx.clone(), count // ends)
                tasks.start_soon(_receive, rx.clone())
            tx.close()
            rx.close()

    return run


async def _send_ours(tx, count: int) -> None:
    async with tx:
        for number in range(count):
            await tx.send(number)


async def _receive(rx) -> None:
    async with rx:
        async for _ in rx:
            pass


def anyio_stream(capacity: int, ends: int = 1) -> Contender:
    async def run(count: int) -> None:
        tx, rx = anyio.create_memory_object_stream[int](capacity)
        async with anyio.create_task_group() as tasks:
            for _ in range(ends):
                tasks.start_soon(_send_ours, tx.clone(), count // ends)
                tasks.start_soon(_receive, rx.clone())
            tx.close()
            rx.close()

    return run


def asyncio_queue(capacity: int, ends: int = 1) -> Contender:
    async def run(count: int) -> None:
        queue: asyncio.Queue[int] = asyncio.Queue(capacity)

        async def send() -> None:
            for number in range(count // ends):
                await queue.put(number)

        async def receive() -> None:
            for _ in range(count // ends):
                await queue.get()

        async with asyncio.TaskGroup() as tasks:
            for _ in range(ends):
                tasks.create_task(send())
                tasks.create_task(receive())

    return run


async def ours_oneshot(count: int) -> None:
    for number in range(count):
        tx, rx = oneshot(int)
        tx.send(number)
        await rx.recv()


async def asyncio_future(count: int) -> None:
    loop = asyncio.get_running_loop()
    for number in range(count):
        future = loop.create_future()
        future.set_result(number)
        await future


async def anyio_oneshot(count: int) -> None:
    for number in range(count):
        tx, rx = anyio.create_memory_object_stream[int](1)
        await tx.send(number)
        await rx.receive()
        tx.close()
        rx.close()


async def ours_broadcast(count: int) -> None:
    tx, rx = broadcast(int, capacity=count)
    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(_receive, rx.clone())
        rx.close()
        for number in range(count):
            tx.send(number)
        tx.close()


async def asyncio_queues(count: int) -> None:
    queues = [asyncio.Queue[int]() for _ in range(10)]

    async def receive(queue: asyncio.Queue[int]) -> None:
        for _ in range(count):
            await queue.get()

    async with asyncio.TaskGroup() as tasks:
        for queue in queues:
            tasks.create_task(receive(queue))
        for number in range(count):
            for queue in queues:
                queue.put_nowait(number)


async def anyio_streams(count: int) -> None:
    async with anyio.create_task_group() as tasks:
        senders = []
        for _ in range(10):
            tx, rx = anyio.create_memory_object_stream[int](count)
            senders.append(tx)
            tasks.start_soon(_receive, rx)
        for number in range(count):
            for tx in senders:
                tx.send_nowait(number)
        for tx in senders:
            tx.close()


async def ours_select(count: int) -> None:
    (tx1, rx1), (_tx2, rx2) = channel(int, capacity=count), channel(int)
    for number in range(count):
        await tx1.send(number)
    for _ in range(count):
        await select(rx1, rx2)


async def asyncio_wait(count: int) -> None:
    """What programs write in its place: it waits for two gets, and must put back what it does not want."""
    one, two = asyncio.Queue[int](), asyncio.Queue[int]()
    for number in range(count):
        one.put_nowait(number)
    other = asyncio.ensure_future(two.get())
    for _ in range(count):
        await asyncio.wait((asyncio.ensure_future(one.get()), other), return_when=asyncio.FIRST_COMPLETED)
    other.cancel()


CASES: dict[str, tuple[int, dict[str, Contender]]] = {
    "one to one, capacity 64": (
        20_000,
        {"channel": ours(64), "asyncio.Queue": asyncio_queue(64), "anyio": anyio_stream(64)},
    ),
    "one to one, capacity 1": (
        10_000,
        {"channel": ours(1), "asyncio.Queue": asyncio_queue(1), "anyio": anyio_stream(1)},
    ),
    "four to four, capacity 64": (
        20_000,
        {"channel": ours(64, 4), "asyncio.Queue": asyncio_queue(64, 4), "anyio": anyio_stream(64, 4)},
    ),
    "one value": (5_000, {"oneshot": ours_oneshot, "asyncio.Future": asyncio_future, "anyio": anyio_oneshot}),
    "one to all of ten": (
        2_000,
        {"broadcast": ours_broadcast, "asyncio.Queue": asyncio_queues, "anyio": anyio_streams},
    ),
    "the first of two": (2_000, {"select": ours_select, "asyncio.wait": asyncio_wait}),
}

if __name__ == "__main__":
    heading()
    for case, (count, contenders) in CASES.items():
        compare(case, count, contenders)
