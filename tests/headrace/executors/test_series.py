"""`map`, `imap` and `gather`: order, laziness, failures, and series that are left in the middle."""

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing

import anyio
import anyio.lowlevel
import pytest
from anyio import Event, get_cancelled_exc_class
from anyio.abc import TaskGroup

from headrace.errors import ExecutorClosedError
from headrace.executors import Executor


async def double(number: int) -> int:
    await anyio.lowlevel.checkpoint()
    return 2 * number


def double_at_once(number: int) -> int:
    return 2 * number


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
