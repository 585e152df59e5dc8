"""What a run held is freed when it is over, at once: no cycle of it is left to the garbage collector."""

import gc
import weakref
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from msgspec import Struct
from tests.headrace.kernel.engine.pipes import Item, Left, Right, Sum

from headrace import Gather, Pipe, Retry, RunExpiredError
from headrace.kernel.events import NodeStarted


class Start(Struct, weakref=True):
    count: int


@pytest.fixture(autouse=True)
def _without_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def one_call() -> Pipe:
    pipe = Pipe("one_call")

    @pipe.node
    async def only(start: Start) -> Sum:
        return Sum(start.count)

    return pipe


def branches() -> Pipe:
    pipe = Pipe("branches")

    @pipe.node
    async def left(start: Start) -> Left:
        await anyio.lowlevel.checkpoint()
        return Left(start.count)

    @pipe.node
    async def right(start: Start) -> Right:
        return Right(start.count)

    @pipe.node
    async def join(left: Left, right: Right) -> Sum:
        return Sum(left.value)

    return pipe


def tried_again() -> Pipe:
    pipe = Pipe("tried_again")
    failures = iter((True, False))

    @pipe.node(retry=Retry(attempts=2, backoff=0.0001))
    async def work(start: Start) -> Sum:
        if next(failures, False):
            raise ValueError
        return Sum(start.count)

    return pipe


def a_map_that_waits() -> Pipe:
    pipe = Pipe("map")

    @pipe.node
    async def split(start: Start) -> list[Item]:
        return [Item(number) for number in range(start.count)]

    @pipe.node
    async def wait(item: Item) -> Left:
        await anyio.lowlevel.checkpoint()
        return Left(item.number)

    @pipe.node
    async def add(parts: Gather[Left]) -> Sum:
        return Sum(len(parts))

    return pipe


PIPES = (one_call, branches, a_map_that_waits)


async def result_of(pipe: Pipe, start: Start) -> Any:
    return await pipe.run(start)


async def read(pipe: Pipe, start: Start) -> Any:
    events = pipe.events(start)
    async for _ in events:
        pass
    return events.result()


@pytest.mark.parametrize("run", [result_of, read])
@pytest.mark.parametrize("make", PIPES)
async def test_a_run_that_is_over_holds_nothing(make: Callable[[], Pipe], run: Callable[..., Any]) -> None:
    start = Start(3)
    gone = weakref.ref(start)
    assert await run(make(), start) == Sum(3)
    await anyio.lowlevel.checkpoint()  # a task that has ended is let go by the event loop
    del start
    assert gone() is None


async def test_nor_does_one_whose_call_was_made_again() -> None:
    start = Start(3)
    gone = weakref.ref(start)
    assert await tried_again().run(start) == Sum(3)
    await anyio.lowlevel.checkpoint()
    del start
    assert gone() is None


async def test_nor_does_one_whose_events_were_left_early() -> None:
    start = Start(3)
    gone = weakref.ref(start)
    async with a_map_that_waits().events(start) as events:
        async for _ in events:
            break
    await anyio.lowlevel.checkpoint()
    del start, events
    assert gone() is None


def endless() -> Pipe:
    pipe = Pipe("endless")

    @pipe.node
    async def wait(start: Start) -> Sum:
        await anyio.sleep_forever()
        return Sum(0)

    return pipe


async def out_of_time(pipe: Pipe, start: Start) -> None:
    with suppress(RunExpiredError):
        await pipe.run(start, timeout=0.01)


async def cancelled_by_its_caller(pipe: Pipe, start: Start) -> None:
    with anyio.move_on_after(0.01):
        await pipe.run(start)


async def left_while_its_node_waits(pipe: Pipe, start: Start) -> None:
    async with pipe.events(start) as events:
        async for event in events:
            if isinstance(event, NodeStarted):
                break


@pytest.mark.parametrize("cut", [out_of_time, cancelled_by_its_caller, left_while_its_node_waits])
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_nor_does_one_that_was_cut(backend: str, cut: Callable[[Pipe, Start], Awaitable[None]]) -> None:
    async def work() -> bool:
        pipe, start = endless(), Start(3)
        gone = weakref.ref(start)
        await cut(pipe, start)
        await anyio.lowlevel.checkpoint()
        del start
        return gone() is None

    assert anyio.run(work, backend=backend)
