"""Runs that are held up: all that is left waits for a signal, or there are no more calls at a time than one or two."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import anyio
import pytest
from msgspec import Struct
from tests.headrace.kernel.engine.pipes import Done, Item, Left, Many, Right, Sum

from headrace import Context, Drop, Gather, Pipe, Retry, Signal, Suspend
from headrace.errors import RunSuspendedError
from headrace.kernel.events import Suspended

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])


class Go(Struct):
    pass


def bounded(backend: str, work: Callable[[], Awaitable[Any]]) -> Any:
    async def bound() -> Any:
        with anyio.fail_after(30):  # what takes so long hangs
            return await work()

    return anyio.run(bound, backend=backend)


def asking() -> Pipe:
    """A pipe with a call that waits for a signal; branches beside it end later."""
    pipe = Pipe("asking")

    @pipe.node
    async def ask(message: Many, go: Signal[Go]) -> Left | Suspend:
        return Suspend("go") if go is None else Left(1)

    return pipe


def that_drops(pipe: Pipe) -> None:
    @pipe.node
    async def beside(message: Many) -> Right | Drop:
        return Drop()


def that_waits_and_gives_nothing(pipe: Pipe) -> None:
    @pipe.node
    async def beside(message: Many) -> None:
        await anyio.sleep(0.001)


def that_comes_to_a_join(pipe: Pipe) -> None:
    @pipe.node
    async def beside(message: Many) -> Right:
        return Right(1)

    @pipe.node
    async def join(left: Left, right: Right) -> Sum:
        return Sum(left.value + right.value)


def that_is_tried_again(pipe: Pipe) -> None:
    @pipe.node(retry=Retry(attempts=2, backoff=0.001))
    async def beside(message: Many, ctx: Context) -> None:
        if ctx.attempt == 1:
            raise ConnectionError


def that_is_keyed(pipe: Pipe) -> None:
    @pipe.node(key=lambda _: "one")
    async def beside(message: Many) -> None:
        await anyio.sleep(0.001)


def that_is_a_long_series(pipe: Pipe) -> None:
    @pipe.node
    async def beside(message: Many) -> list[Item]:
        return [Item(number) for number in range(600)]

    @pipe.node
    async def one(item: Item) -> None:
        pass


BRANCHES = [
    that_drops,
    that_waits_and_gives_nothing,
    that_comes_to_a_join,
    that_is_tried_again,
    that_is_keyed,
    that_is_a_long_series,
]


@BACKENDS
@pytest.mark.parametrize("branch", BRANCHES)
def test_a_run_that_only_waits_for_a_signal_says_so_whatever_ended_last(
    backend: str, branch: Callable[[Pipe], None]
) -> None:
    pipe = asking()
    branch(pipe)
    with pytest.raises(RunSuspendedError, match="go"):
        bounded(backend, partial(pipe.run, Many(1)))


def retrying(count: int) -> tuple[Pipe, list[int]]:
    """A map whose every call fails once, and how many of its second calls are under way at a time."""
    pipe = Pipe("retrying")
    inside = [0, 0]

    @pipe.node
    async def split(message: Many) -> list[Item]:
        return [Item(number) for number in range(count)]

    @pipe.node(retry=Retry(attempts=2, backoff=0.001, jitter=0))
    async def again(item: Item, ctx: Context) -> Done:
        if ctx.attempt == 1:
            raise ConnectionError
        inside[0] += 1
        inside[1] = max(inside)
        await anyio.sleep(0.005)
        inside[0] -= 1
        return Done(item.number)

    @pipe.node
    async def add(done: Gather[Done]) -> Sum:
        return Sum(len(done))

    return pipe, inside


@BACKENDS
@pytest.mark.parametrize("concurrency", [1, 2, 4])
def test_as_many_calls_are_made_at_a_time_after_a_back_off_as_before(backend: str, concurrency: int) -> None:
    pipe, inside = retrying(8)
    assert bounded(backend, partial(pipe.run, Many(1), concurrency=concurrency)) == Sum(8)
    assert inside[1] == concurrency


@BACKENDS
def test_a_signal_is_worked_on_where_one_call_is_made_at_a_time(backend: str) -> None:
    async def work() -> object:
        async with asking().events(Many(1), concurrency=1) as events:
            async for event in events:
                if isinstance(event, Suspended):
                    events.signal("go", Go())
            return events.result()

    assert bounded(backend, work) == Left(1)
