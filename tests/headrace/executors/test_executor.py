"""What an executor promises, wherever its tasks run: bounds, order, failures, and that nothing outlives it."""

import asyncio
import contextvars
import gc
import threading
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Literal

import anyio
import anyio.lowlevel
import pytest
from anyio import Event, get_cancelled_exc_class
from anyio.abc import TaskGroup

from headrace.errors import ExecutorClosedError, TaskPendingError
from headrace.executors import Executor, ExitReason, TaskHandle


async def double(number: int) -> int:
    await anyio.lowlevel.checkpoint()
    return 2 * number


def double_at_once(number: int) -> int:
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


async def test_map_gives_results_in_the_order_of_the_items_whatever_ends_first() -> None:
    gates = [Event() for _ in range(5)]

    async def wait(place: int) -> int:
        await gates[place].wait()
        if place:
            gates[place - 1].set()
        return place

    gates[4].set()
    async with Executor("inline") as executor:
        assert await executor.map(wait, range(5)) == [0, 1, 2, 3, 4]


async def test_imap_gives_results_as_they_come() -> None:
    gates = [Event() for _ in range(4)]

    async def wait(place: int) -> int:
        await gates[place].wait()
        if place:
            gates[place - 1].set()
        return place

    gates[3].set()
    async with Executor("inline") as executor:
        assert [place async for place in executor.imap(wait, range(4))] == [3, 2, 1, 0]


@pytest.mark.parametrize("count", [0, 1, 1_000, 10_000])
async def test_a_map_of_any_length_ends(count: int) -> None:
    async with Executor("inline", concurrency=8) as executor:
        assert await executor.map(double_at_once, range(count)) == [2 * number for number in range(count)]


async def test_a_map_over_threads_gives_every_result() -> None:
    async with Executor("thread", concurrency=4) as executor:
        assert await executor.map(double_at_once, range(100)) == [2 * number for number in range(100)]


async def test_items_are_taken_as_results_are_and_no_faster() -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for number in range(100):
            taken += 1
            yield number

    async with Executor("inline", concurrency=3) as executor, aclosing(executor.imap(double, items())) as results:
        await anext(results)
        await anyio.wait_all_tasks_blocked()
        assert taken <= 5  # three in hand, one in the consumer's, one that waits for room


async def test_items_may_come_from_an_asynchronous_iterator() -> None:
    async def items() -> AsyncIterator[int]:
        for number in range(3):
            await anyio.lowlevel.checkpoint()
            yield number

    async with Executor("inline") as executor:
        assert await executor.map(double, items()) == [0, 2, 4]


async def test_what_the_items_raise_is_raised_to_who_maps() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise LookupError("no more")

    async with Executor("inline") as executor:
        with pytest.raises(LookupError, match="no more"):
            await executor.map(double, items())


async def test_the_first_failure_of_a_map_is_raised_as_it_is_and_cancels_the_others() -> None:
    cancelled: list[int] = []

    async def fail_at_two(number: int) -> None:
        if number == 2:
            await anyio.wait_all_tasks_blocked()
            raise LookupError(number)
        try:
            await anyio.sleep_forever()
        except get_cancelled_exc_class():
            cancelled.append(number)
            raise

    async with Executor("inline") as executor:
        with pytest.raises(LookupError):
            await executor.map(fail_at_two, range(3))
    assert sorted(cancelled) == [0, 1]


async def test_leaving_an_imap_early_cancels_what_is_under_way() -> None:
    cancelled: list[int] = []

    async def forever(number: int) -> int:
        if number == 0:
            return 0
        try:
            await anyio.sleep_forever()
        finally:
            cancelled.append(number)
        return number

    async with Executor("inline", concurrency=3) as executor:
        async with aclosing(executor.imap(forever, range(100))) as results:
            assert await anext(results) == 0
        assert await executor.map(double, range(5)) == [0, 2, 4, 6, 8]
    assert len(cancelled) <= 3


async def test_an_imap_that_is_left_in_the_middle_does_not_hold_up_the_end_of_its_executor() -> None:
    async with Executor("inline", concurrency=2) as executor:
        results = executor.imap(double, range(1_000))
        await anext(results)
    await results.aclose()


async def test_an_imap_whose_executor_was_left_between_two_results_raises_for_those_that_are_missing() -> None:
    async with Executor("inline", concurrency=2) as executor:
        results = executor.imap(double, range(10))
        await anext(results)
        await anyio.wait_all_tasks_blocked()
    with pytest.raises(ExecutorClosedError):
        _ = [result async for result in results]


async def test_a_map_of_another_task_that_waits_for_an_item_raises_when_the_body_does() -> None:
    async def items() -> AsyncIterator[int]:
        yield 1
        await anyio.sleep_forever()

    async def map_all(executor: Executor) -> None:
        with pytest.raises(ExecutorClosedError):
            await executor.map(double, items())

    async def open_and_fail(tasks: TaskGroup) -> None:
        async with Executor("inline", concurrency=2) as executor:
            tasks.start_soon(map_all, executor)
            await anyio.wait_all_tasks_blocked()
            raise LookupError("mine")

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            with pytest.raises(LookupError, match="mine"):
                await open_and_fail(tasks)


async def test_a_map_of_another_task_is_finished_when_the_executor_is_left() -> None:
    go_on = Event()
    got: list[int] = []

    async def wait(number: int) -> int:
        await go_on.wait()
        return number

    async def map_all(executor: Executor) -> None:
        got.extend(await executor.map(wait, range(10)))

    async with anyio.create_task_group() as tasks, Executor("inline", concurrency=2) as executor:
        tasks.start_soon(map_all, executor)
        await anyio.wait_all_tasks_blocked()
        go_on.set()
    assert got == list(range(10))


async def test_gather_gives_the_results_of_calls_in_their_order() -> None:
    async with Executor("thread") as executor:
        assert await executor.gather(lambda: 1, lambda: 2, lambda: 3) == [1, 2, 3]


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


def test_a_task_that_waited_for_what_was_cancelled_fails_alone() -> None:
    async def wait_in_vain() -> None:
        cancelled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        cancelled.cancel()
        await cancelled

    async def work() -> None:
        async with Executor("inline") as executor:
            sibling = await executor.submit(double, 2)
            handle = await executor.submit(wait_in_vain)
            await handle.wait()
            assert handle.exit_reason is ExitReason.CANCELLED
            assert await sibling == 4
            assert await (await executor.submit(double, 3)) == 6
        own = asyncio.current_task()
        assert own is not None
        assert not own.cancelling()

    asyncio.run(work())
