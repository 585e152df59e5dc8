"""What an executor promises, wherever its tasks run: bounds, order, failures, and that nothing outlives it."""

import contextvars
import gc
import threading
import weakref
from contextlib import suppress
from typing import Any, Literal

import anyio
import anyio.lowlevel
import pytest
from anyio import Event

from headrace.errors import ExecutorClosedError, TaskPendingError
from headrace.executors import Executor, ExitReason, TaskHandle


async def double(number: int) -> int:
    await anyio.lowlevel.checkpoint()
    return 2 * number


async def fail_in_the_body(handles: list[TaskHandle[None]]) -> None:
    async with Executor("inline") as executor:
        handles.append(await executor.submit(anyio.sleep_forever))
        raise LookupError("mine")


async def test_a_handle_gives_what_its_task_returned_however_often_it_is_asked() -> None:
    async with Executor("inline") as executor:
        handle = await executor.submit(double, 21)
        with pytest.raises(TaskPendingError):
            handle.result()
        assert handle.exit_reason is None
        assert await handle == 42
        assert await handle == 42
    assert handle.result() == 42
    assert handle.exit_reason is ExitReason.COMPLETED


async def test_a_handle_raises_what_its_task_raised_and_waiting_does_not() -> None:
    async def fail() -> None:
        raise LookupError("nothing there")

    async with Executor("inline") as executor:
        handle = await executor.submit(fail)
        await handle.wait()
        assert handle.exit_reason is ExitReason.FAILED
        with pytest.raises(LookupError, match="nothing there"):
            await handle


class OddEnd(BaseException):
    pass


@pytest.mark.parametrize("backend", ["inline", "thread"])
@pytest.mark.parametrize("end", [SystemExit, OddEnd])
async def test_a_task_that_ends_in_what_is_no_exception_fails_alone(
    backend: Literal["inline", "thread"], end: type[BaseException]
) -> None:
    def task() -> None:
        raise end

    async with Executor(backend) as executor:
        handle = await executor.submit(task)
        await handle.wait()
        with pytest.raises(end):
            handle.result()
        assert await (await executor.submit(double, 1)) == 2
    assert handle.exit_reason is ExitReason.FAILED


async def test_no_more_tasks_run_than_the_executor_allows_and_submit_waits_for_a_slot() -> None:
    running = most = 0
    go_on = Event()

    async def task() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await go_on.wait()
        running -= 1

    submitted = 0

    async def submit_all(executor: Executor) -> None:
        nonlocal submitted
        for _ in range(10):
            await executor.submit(task)
            submitted += 1

    async with Executor("inline", concurrency=3) as executor, anyio.create_task_group() as tasks:
        tasks.start_soon(submit_all, executor)
        await anyio.wait_all_tasks_blocked()
        assert (submitted, running) == (3, 3)
        go_on.set()
    assert (submitted, most) == (10, 3)


async def test_no_more_threads_run_than_the_executor_allows_even_where_their_tasks_are_cancelled() -> None:
    running = most = 0
    lock = threading.Lock()
    go_on = threading.Event()

    def task() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        go_on.wait(10)
        with lock:
            running -= 1

    async with Executor("thread", concurrency=2) as executor:
        handles = [await executor.submit(task) for _ in range(2)]
        await anyio.wait_all_tasks_blocked()
        for handle in handles:
            handle.cancel()
        with anyio.move_on_after(0.01) as no_slot:
            await executor.submit(task)
        assert no_slot.cancelled_caught
        go_on.set()
        await executor.map(lambda _: task(), range(4))
    assert most == 2


async def test_a_sync_task_in_a_thread_does_not_block_the_loop() -> None:
    go_on = threading.Event()
    async with Executor("thread") as executor:
        handle = await executor.submit(go_on.wait, 10)
        await anyio.lowlevel.checkpoint()
        go_on.set()
        assert await handle


async def test_leaving_the_executor_waits_for_its_tasks() -> None:
    ended: list[int] = []

    async def task(number: int) -> None:
        await anyio.lowlevel.checkpoint()
        ended.append(number)

    async with Executor("inline") as executor:
        for number in range(3):
            await executor.submit(task, number)
    assert sorted(ended) == [0, 1, 2]


async def test_after_an_executor_has_closed_its_callers_task_goes_on_normally() -> None:
    async with Executor("inline") as executor:
        await executor.submit(double, 1)
    await anyio.lowlevel.checkpoint()
    with pytest.raises(LookupError):
        await fail_in_the_body([])
    await anyio.lowlevel.checkpoint()
    async with Executor("inline") as executor:
        assert await executor.map(double, [1]) == [2]


async def test_an_error_in_the_body_cancels_the_tasks_and_comes_out_as_it_is() -> None:
    handles: list[TaskHandle[None]] = []
    with pytest.raises(LookupError, match="mine"):
        await fail_in_the_body(handles)
    assert handles[0].exit_reason is ExitReason.CANCELLED


async def test_a_timeout_around_an_executor_cancels_its_tasks_and_is_over_then() -> None:
    with anyio.move_on_after(0.01) as scope:
        async with Executor("inline") as executor:
            handle = await executor.submit(anyio.sleep_forever)
    assert scope.cancelled_caught
    assert handle.exit_reason is ExitReason.CANCELLED
    await anyio.lowlevel.checkpoint()


async def test_one_executor_can_be_opened_again() -> None:
    executor = Executor("inline")
    for _ in range(2):
        async with executor:
            assert await (await executor.submit(double, 1)) == 2


async def test_an_executor_that_is_open_cannot_be_entered_again_and_goes_on() -> None:
    async with Executor("inline") as executor:
        with pytest.raises(RuntimeError, match="open already"):
            await executor.__aenter__()
        assert await (await executor.submit(double, 1)) == 2


async def test_a_handle_raises_with_the_same_traceback_however_often_it_is_asked() -> None:
    async def fail() -> None:
        raise LookupError

    async with Executor("inline") as executor:
        handle = await executor.submit(fail)
        await handle.wait()
    lengths: set[int] = set()
    for _ in range(3):
        with pytest.raises(LookupError) as raised:
            handle.result()
        lengths.add(len(raised.traceback))
    assert len(lengths) == 1


async def test_an_executor_that_is_not_open_takes_no_tasks() -> None:
    executor = Executor("inline")
    with pytest.raises(ExecutorClosedError):
        await executor.submit(double, 1)
    async with executor:
        pass
    with pytest.raises(ExecutorClosedError):
        await executor.submit(double, 1)
    with pytest.raises(ExecutorClosedError):
        await executor.map(double, [1])


async def test_a_task_sees_the_context_variables_of_its_submit_and_keeps_its_own_to_itself() -> None:
    who = contextvars.ContextVar("who", default="nobody")

    async def look(name: str) -> str:
        seen = who.get()
        who.set(name)
        return seen

    async with Executor("inline", concurrency=1) as executor:
        token = who.set("caller")
        assert await executor.map(look, ["a", "b"]) == ["caller", "caller"]
        who.reset(token)
        assert who.get() == "nobody"


async def test_an_executor_keeps_nothing_of_a_task_that_has_ended() -> None:
    class Result:
        pass

    async def make() -> Result:
        return Result()

    async with Executor("inline") as executor:
        handle = await executor.submit(make)
        result = weakref.ref(await handle)
        del handle
        await anyio.lowlevel.checkpoint()
        gc.collect()
        assert result() is None


def test_a_concurrency_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="concurrency=0"):
        Executor("inline", concurrency=0)


@pytest.mark.filterwarnings("ignore:coroutine 'Executor._run' was never awaited")  # of trio's
@pytest.mark.parametrize("is_left_by_an_error", [True, False])
async def test_all_who_wait_to_submit_while_it_closes_are_told(is_left_by_an_error: bool) -> None:
    told: list[str] = []
    executor = Executor("inline", concurrency=1)

    async def submit() -> None:
        try:
            handle = await executor.submit(double, 1)
            await handle.wait()
            told.append("submitted")
        except ExecutorClosedError:
            told.append("closed")

    with anyio.fail_after(30):
        async with anyio.create_task_group() as others:
            with suppress(LookupError):
                async with executor:
                    first = await executor.submit(anyio.sleep, 0.01)
                    for _ in range(5):
                        others.start_soon(submit)
                    await anyio.wait_all_tasks_blocked() if is_left_by_an_error else await first.wait()
                    if is_left_by_an_error:
                        raise LookupError
    assert len(told) == 5


@pytest.mark.parametrize("concurrency", [0, -1, 1.5, float("inf"), "2"])
def test_a_concurrency_that_is_no_whole_number_is_refused(concurrency: Any) -> None:
    with pytest.raises(ValueError, match="must be a whole number of at least 1"):
        Executor("inline", concurrency=concurrency)


async def test_an_interrupt_among_what_a_task_raises_is_the_programs() -> None:
    async def interrupt() -> None:
        raise BaseExceptionGroup("several", [ValueError(), KeyboardInterrupt()])

    with pytest.raises(BaseExceptionGroup) as raised:
        async with Executor("inline") as executor:
            await executor.submit(interrupt)
    assert raised.value.subgroup(KeyboardInterrupt) is not None
