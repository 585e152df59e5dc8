"""A run that is cancelled, or whose time is up, ends as that, whatever its nodes answer to it."""

import asyncio
import math
import time
from contextlib import suppress
from typing import Any

import anyio
import pytest
from tests.headrace.kernel.engine.pipes import Done, Item, Sum
from tests.headrace.kernel.engine.told import finish, names, why

from headrace import Pipe, Retry
from headrace.errors import FailureKind
from headrace.kernel.events import KernelEvent, NodeFailed
from headrace.ledger.values import RunState

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])
ATTEMPTS = pytest.mark.parametrize("attempts", [1, 5])
BRANCHES = pytest.mark.parametrize("branches", [1, 2])


class Untidy:
    """A pipe whose nodes fail in their clean-up.

    Args:
        attempts: How often they are tried.
        branches: How many of them there are, side by side.

    Attributes:
        calls: So far.
        began: All of them have.
    """

    def __init__(self, attempts: int = 5, branches: int = 1) -> None:
        self.calls = 0
        self.began = anyio.Event()
        self.pipe = Pipe("untidy")
        self._branches = branches
        for number in range(branches):
            self._add(number, attempts)

    def _add(self, number: int, attempts: int) -> None:
        async def untidy(message: Item) -> Done:
            self.calls += 1
            if self.calls == self._branches:
                self.began.set()
            try:
                await anyio.sleep_forever()
            finally:
                raise ConnectionError
            return Done(0)

        untidy.__name__ = f"untidy{number}"
        self.pipe.node(retry=Retry(attempts=attempts, backoff=0.01))(untidy)


@BRANCHES
async def test_a_cancelled_run_does_not_go_on_where_its_nodes_answer_with_errors(branches: int) -> None:
    untidy = Untidy(branches=branches)
    run = asyncio.create_task(untidy.pipe.run(Item(1)))
    await untidy.began.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert untidy.calls == branches


@ATTEMPTS
@BRANCHES
async def test_a_run_in_a_time_out_of_its_callers_ends_in_it(attempts: int, branches: int) -> None:
    untidy = Untidy(attempts, branches)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(untidy.pipe.run(Item(1)), 0.05)
    assert untidy.calls <= branches


async def test_a_run_that_is_started_by_a_task_that_was_cancelled_once_may_try_again() -> None:
    calls = 0
    pipe = Pipe("late")

    @pipe.node(retry=Retry(attempts=2, backoff=0))
    async def late(message: Item) -> Done:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise ConnectionError
        return Done(message.number)

    async def clean_up() -> object:
        try:
            await asyncio.sleep(math.inf)
        finally:
            return await pipe.run(Item(4))  # noqa: B012 - what is tested

    task = asyncio.create_task(clean_up())
    await asyncio.sleep(0)
    task.cancel()
    assert await task == Done(4)


@BACKENDS
@ATTEMPTS
@BRANCHES
def test_a_run_whose_time_is_up_ends_as_that_where_its_nodes_answer_with_errors(
    backend: str, attempts: int, branches: int
) -> None:
    async def follow() -> list[KernelEvent]:
        async with Untidy(attempts, branches).pipe.events(Item(1), timeout=0.2) as events:
            return [event async for event in events]

    heard = anyio.run(follow, backend=backend)
    failed = [event for event in heard if isinstance(event, NodeFailed)]
    assert len(failed) == branches
    assert names(heard)[-2:] == ["RunTimedOut", "RunFinished"]
    end = finish(heard)
    assert end.status is RunState.EXPIRED
    assert [failure.kind for failure in end.failures] == [FailureKind.STEP] * branches


@BACKENDS
@ATTEMPTS
def test_a_run_that_failed_ends_as_that_where_another_node_answers_with_an_error(backend: str, attempts: int) -> None:
    untidy = Untidy(attempts, 2)

    @untidy.pipe.node
    async def failing(message: Item) -> Done:
        await untidy.began.wait()
        raise ValueError

    async def follow() -> list[KernelEvent]:
        untidy.began = anyio.Event()
        async with untidy.pipe.events(Item(1)) as events:
            return [event async for event in events]

    heard = anyio.run(follow, backend=backend)
    assert why(heard).error == "ValueError"
    assert sorted(failure.error for failure in finish(heard).failures) == ["ConnectionError"] * 2 + ["ValueError"]
    assert untidy.calls == 2


@BACKENDS
@ATTEMPTS
def test_a_run_that_is_left_ends_where_its_nodes_answer_with_errors(backend: str, attempts: int) -> None:
    untidy = Untidy(attempts, 2)
    told: list[KernelEvent] = []
    untidy.pipe.observe(told.append)

    async def leave() -> None:
        untidy.began = anyio.Event()
        async with untidy.pipe.events(Item(1)) as events:
            await anext(events)
            await untidy.began.wait()

    anyio.run(leave, backend=backend)
    assert finish(told).status is RunState.CANCELLED
    assert untidy.calls == 2


@BACKENDS
@pytest.mark.parametrize("branches", [1, 3])
def test_a_run_of_nodes_that_never_wait_begins_none_when_its_time_is_up(backend: str, branches: int) -> None:
    pipe = Pipe("busy")
    called: list[str] = []

    def busy(name: str, takes: type[Any], gives: type[Any]) -> None:
        async def node(message: Any) -> Any:
            called.append(name)
            ends_s = time.monotonic() + 0.15
            while time.monotonic() < ends_s:
                pass
            return gives(1)

        node.__name__ = name
        node.__annotations__ = {"message": takes, "return": gives}
        pipe.node(node)

    busy("first", Item, Done)
    for branch in range(branches):
        busy(f"second{branch}", Done, Sum)

    async def follow() -> list[KernelEvent]:
        async with pipe.events(Item(1), timeout=0.1) as events:
            return [event async for event in events]

    heard = anyio.run(follow, backend=backend)
    assert finish(heard).status is RunState.EXPIRED
    assert called == ["first"]


def swallowing(branches: int) -> tuple[Pipe, list[str]]:
    """A pipe of branches that swallow their cancellation, a node behind each, and a note of each call of that."""
    pipe, called = Pipe("swallowing"), list[str]()

    async def deaf(message: Item) -> Done:
        with suppress(BaseException):
            await anyio.sleep_forever()
        return Done(1)

    for branch in range(branches):
        pipe.node(name=f"deaf{branch}")(deaf)

    @pipe.node
    async def after(message: Done) -> Sum:
        called.append("after")
        return Sum(1)

    return pipe, called


@BACKENDS
@BRANCHES
def test_nodes_that_swallow_the_end_of_their_runs_time_are_the_last_that_are_called(
    backend: str, branches: int
) -> None:
    pipe, called = swallowing(branches)

    async def follow() -> list[KernelEvent]:
        with anyio.fail_after(30):
            async with pipe.events(Item(1), timeout=0.01) as events:
                return [event async for event in events]

    assert finish(anyio.run(follow, backend=backend)).status is RunState.EXPIRED
    assert not called


@BACKENDS
def test_events_that_another_task_reads_can_be_closed(backend: str) -> None:
    untidy, heard = Untidy(attempts=1), list[KernelEvent]()

    async def work() -> None:
        untidy.began = anyio.Event()
        events = untidy.pipe.events(Item(1))

        async def read() -> None:
            async for event in events:
                heard.append(event)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            await untidy.began.wait()
            await events.aclose()

    anyio.run(work, backend=backend)
    assert finish(heard).status is RunState.CANCELLED
