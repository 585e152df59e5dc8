"""Cancelling a task: before its start, under way, after its end; and what nothing can stop."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any, Literal

import anyio
import pytest
from anyio import Event, from_thread, get_cancelled_exc_class

from headrace.errors import TaskCancelledError
from headrace.executors import Cancelled, Executor, ExitReason


async def test_a_task_cancelled_before_its_start_never_starts() -> None:
    started: list[int] = []
    async with Executor("inline") as executor:
        handle = await executor.submit(started.append, 1)
        assert handle.cancel("not needed") is Cancelled.STOPPED
        with pytest.raises(TaskCancelledError, match="not needed"):
            await handle
    assert (started, handle.exit_reason) == ([], ExitReason.CANCELLED)


async def test_a_cancelled_coroutine_is_stopped_at_its_await() -> None:
    stopped = Event()

    async def task() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            stopped.set()

    async with Executor("inline") as executor:
        handle = await executor.submit(task)
        await anyio.wait_all_tasks_blocked()
        assert handle.cancel() is Cancelled.STOPPED
        await stopped.wait()
    assert handle.exit_reason is ExitReason.CANCELLED


async def test_a_task_that_returns_in_spite_of_its_cancellation_stays_cancelled() -> None:
    async def stubborn() -> str:
        try:
            await anyio.sleep_forever()
        except get_cancelled_exc_class():
            pass
        return "done all the same"

    async with Executor("inline") as executor:
        handle = await executor.submit(stubborn)
        await anyio.wait_all_tasks_blocked()
        handle.cancel()
    with pytest.raises(TaskCancelledError):
        handle.result()


async def double(number: int) -> int:
    return 2 * number


async def test_a_cancellation_after_the_end_changes_nothing() -> None:
    async with Executor("inline") as executor:
        handle = await executor.submit(double, 1)
        await handle
        assert handle.cancel() is Cancelled.TOO_LATE
        assert await handle == 2


async def test_a_cancelled_thread_is_abandoned_its_caller_goes_on_and_it_can_see_that_it_is_cancelled() -> None:
    has_begun, go_on = threading.Event(), threading.Event()
    seen: list[str] = []

    def task() -> None:
        has_begun.set()
        assert go_on.wait(10)
        try:
            from_thread.check_cancelled()
        except BaseException as cancelled:
            seen.append(type(cancelled).__name__)
            raise

    async with Executor("thread") as executor:
        handle = await executor.submit(task)
        await anyio.to_thread.run_sync(has_begun.wait)
        assert handle.cancel() is Cancelled.ABANDONED
        with pytest.raises(TaskCancelledError):
            await handle
        go_on.set()
    assert len(seen) == 1


async def test_a_cancelled_wait_leaves_its_task_alone() -> None:
    go_on = Event()
    async with Executor("inline") as executor:
        handle = await executor.submit(go_on.wait)
        with anyio.move_on_after(0.001):
            await handle
        assert handle.exit_reason is None
        go_on.set()
    assert handle.exit_reason is ExitReason.COMPLETED


async def wait_for_what_was_cancelled() -> None:
    future = asyncio.get_running_loop().create_future()
    future.cancel()
    await future


def raise_cancelled() -> None:
    raise asyncio.CancelledError


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("backend", ["inline", "thread"])
@pytest.mark.parametrize("task", [wait_for_what_was_cancelled, raise_cancelled])
async def test_a_task_that_ends_in_a_cancellation_of_its_own_ends_alone(
    backend: Literal["inline", "thread"], task: Callable[[], Any]
) -> None:
    go_on = Event()
    async with Executor(backend) as executor:
        other = await executor.submit(go_on.wait)
        handle = await executor.submit(task)
        with pytest.raises(TaskCancelledError):
            await handle
        go_on.set()
        await other
        assert await (await executor.submit(double, 1)) == 2
    assert (handle.exit_reason, other.exit_reason) == (ExitReason.CANCELLED, ExitReason.COMPLETED)
