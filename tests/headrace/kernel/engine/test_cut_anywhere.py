"""A run may be cut at any of its events, in each way that there is: it ends once, and cleans up."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.headrace.kernel.engine.pipes import Done, Item
from tests.headrace.kernel.engine.told import finish

from headrace import HeadraceError, Pipe, Retry
from headrace.errors import FailureSource
from headrace.kernel.events import KernelEvent, NodeStarted

LONG_S = 30  # a run that takes so long hangs
BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])


async def quick(message: Item) -> Done:
    return Done(message.number)


async def waiting(message: Item) -> Done:
    for _ in range(3):
        await anyio.lowlevel.checkpoint()
    return Done(message.number)


async def failing(message: Item) -> Done:
    await anyio.lowlevel.checkpoint()
    raise ConnectionError


async def untidy(message: Item) -> Done:
    try:
        await anyio.sleep(0.002)
        return Done(message.number)
    finally:
        raise ValueError


async def deaf(message: Item) -> Done:
    with suppress(BaseException):
        await anyio.sleep(0.002)
    return Done(message.number)


async def tidy(message: Item) -> Done:
    try:
        await anyio.sleep(0.002)
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.sleep(0.001)
    return Done(message.number)


def thread(message: Item) -> Done:
    time.sleep(0.001)
    return Done(message.number)


BRANCHES = st.lists(st.sampled_from([quick, waiting, failing, untidy, deaf, tidy, thread]), min_size=1, max_size=4)


class Watched:
    """A pipe of branches, what a run of it told, and what is done at one of its events.

    Args:
        at: The number of that event.
    """

    def __init__(self, branches: Sequence[Callable[[Item], Any]], at: int) -> None:
        self._at = at
        self.cut: Callable[[], object] = bool
        self.told: list[KernelEvent] = []
        self.cleaned = 0
        self.pipe = Pipe("watched", entry=Item)
        self.pipe.observe(self._tell)
        self.pipe.on_shutdown(self._clean)
        for number, branch in enumerate(branches):
            self._add(branch, number)

    def assert_over(self) -> None:
        """It has ended once, in order, by no fault of the engine's, and its hook was called."""
        assert FailureSource.FRAMEWORK not in {failure.source for failure in finish(self.told).failures}
        assert [event.seq for event in self.told] == sorted({event.seq for event in self.told})
        assert self.cleaned == 1

    def begun(self) -> int:
        return sum(isinstance(event, NodeStarted) for event in self.told)

    def _add(self, branch: Callable[[Item], Any], number: int) -> None:
        self.pipe.node(name=f"{branch.__name__}{number}", retry=Retry(attempts=2, backoff=0.001))(branch)

    def _tell(self, event: KernelEvent) -> None:
        self.told.append(event)
        if len(self.told) == self._at:
            self.cut()

    def _clean(self) -> None:
        self.cleaned += 1


def bounded(backend: str, work: Callable[[], Awaitable[None]]) -> None:
    """Run something that must not take long, and leave its task as it was."""

    async def bound() -> None:
        with anyio.fail_after(LONG_S):
            await work()
            await anyio.lowlevel.checkpoint()
        if backend == "asyncio":
            task = asyncio.current_task()
            assert task is not None
            assert task.cancelling() == 0

    anyio.run(bound, backend=backend)


@BACKENDS
@given(branches=BRANCHES, at=st.integers(1, 20))
def test_a_caller_that_is_cancelled_anywhere(backend: str, branches: list[Any], at: int) -> None:
    watched = Watched(branches, at)

    async def work() -> None:
        with anyio.CancelScope() as scope:
            watched.cut = scope.cancel
            with suppress(HeadraceError):
                await watched.pipe.run(Item(1))

    bounded(backend, work)
    watched.assert_over()


@given(branches=BRANCHES, at=st.integers(1, 20))
def test_a_task_that_is_cancelled_anywhere(branches: list[Any], at: int) -> None:
    watched = Watched(branches, at)

    async def work() -> None:
        run = asyncio.create_task(watched.pipe.run(Item(1)))
        watched.cut = run.cancel
        await asyncio.wait([run])
        assert run.cancelled() or run.exception() is None or isinstance(run.exception(), HeadraceError)

    bounded("asyncio", work)
    watched.assert_over()


@BACKENDS
@given(branches=BRANCHES, at=st.integers(1, 20))
def test_a_reader_that_leaves_anywhere(backend: str, branches: list[Any], at: int) -> None:
    watched = Watched(branches, 0)
    begun = 0

    async def work() -> None:
        nonlocal begun
        async with watched.pipe.events(Item(1)) as events:
            async for event in events:
                if event.seq >= at:
                    begun = watched.begun()
                    break

    bounded(backend, work)
    watched.assert_over()
    assert watched.begun() == begun or not begun


@BACKENDS
@given(branches=BRANCHES, at=st.integers(1, 20))
def test_a_run_that_is_cancelled_by_its_handle_anywhere(backend: str, branches: list[Any], at: int) -> None:
    watched = Watched(branches, at)

    async def work() -> None:
        async with watched.pipe.events(Item(1)) as events:
            watched.cut = events.cancel
            async for _ in events:
                pass

    bounded(backend, work)
    watched.assert_over()


@BACKENDS
@given(branches=BRANCHES, timeout_ms=st.floats(0, 6))
def test_a_run_whose_time_is_up_anywhere(backend: str, branches: list[Any], timeout_ms: float) -> None:
    watched = Watched(branches, 0)

    async def work() -> None:
        async with watched.pipe.events(Item(1), timeout=timeout_ms / 1000) as events:
            async for _ in events:
                pass

    bounded(backend, work)
    watched.assert_over()
