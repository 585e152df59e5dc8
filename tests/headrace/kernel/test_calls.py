"""How nodes are called: threads, time-outs, calls at a time, and cancellations that nobody asked for."""

import asyncio
import threading
from collections.abc import Iterator

import anyio
import pytest
from anyio import CapacityLimiter, to_thread
from msgspec import Struct
from tests.headrace.kernel.bench import bench, failure

from headrace.errors import FailureKind, FailureSource
from headrace.graph.options import Drop
from headrace.graph.pipe import Pipe
from headrace.testing.wait import wait_until


class Ask(Struct, frozen=True):
    number: int = 0


class Part(Struct, frozen=True):
    number: int = 0


class Answer(Struct, frozen=True):
    number: int = 0


async def test_a_sync_node_never_runs_on_the_event_loops_thread_nor_does_the_body_of_its_generator() -> None:
    pipe = Pipe("threads")
    threads: list[int] = []

    @pipe.node
    def split(ask: Ask) -> Iterator[Part]:
        threads.append(threading.get_ident())
        yield Part()
        threads.append(threading.get_ident())

    @pipe.node
    def answer(part: Part) -> Answer:
        threads.append(threading.get_ident())
        return Answer()

    async with bench(pipe) as on:
        assert on.result(await on.run(Ask())) == Answer()

    assert len(threads) == 3
    assert threading.get_ident() not in threads


async def test_a_sync_node_that_blocks_does_not_stop_the_event_loop() -> None:
    pipe = Pipe("blocks")
    go_on = threading.Event()

    @pipe.node
    def answer(ask: Ask) -> Answer:
        assert go_on.wait(10)
        return Answer()

    async with bench(pipe) as on, anyio.create_task_group() as tasks:
        tasks.start_soon(on.run, Ask())
        go_on.set()  # reached only because the loop is free


async def test_an_async_node_that_takes_too_long_is_cancelled_and_fails_as_timeout() -> None:
    pipe = Pipe("slow")
    ended: list[str] = []

    @pipe.node(timeout=0.01)
    async def answer(ask: Ask) -> Answer:
        try:
            await anyio.sleep_forever()
        finally:
            ended.append("cancelled")
        return Answer()

    async with bench(pipe) as on:
        settled = await on.run(Ask())

    failed = failure(settled)
    assert (failed.kind, failed.source, failed.node) == (FailureKind.TIMEOUT, FailureSource.USER_CODE, "answer")
    assert settled.dead is not None
    assert ended == ["cancelled"]


async def test_a_sync_node_that_takes_too_long_is_left_behind_and_its_result_dropped() -> None:
    pipe = Pipe("slow")
    began, go_on, over = threading.Event(), threading.Event(), threading.Event()

    @pipe.node(timeout=0.05)
    def answer(ask: Ask) -> Answer:
        began.set()
        try:
            assert go_on.wait(10)
            return Answer()
        finally:
            over.set()

    async with bench(pipe) as on:
        settled = await on.run(Ask())
        assert failure(settled).kind is FailureKind.TIMEOUT
        assert not over.is_set()
        go_on.set()
        if began.is_set():  # on a machine so slow that the thread had not begun, it never does
            await wait_until(over.is_set, description="the thread has ended")


async def test_a_nodes_own_timeout_error_is_its_own_failure_of_something_outside() -> None:
    pipe = Pipe("slow")

    @pipe.node(timeout=10)
    async def answer(ask: Ask) -> Answer:
        raise TimeoutError

    async with bench(pipe) as on:
        failed = failure(await on.run(Ask()))
        assert (failed.kind, failed.source) == (FailureKind.STEP, FailureSource.EXTERNAL_DEP)


@pytest.mark.parametrize("is_async", [True, False])
async def test_concurrency_bounds_the_calls_at_a_time_over_all_runs_of_the_process(is_async: bool) -> None:
    pipe = Pipe("bounded")
    under_way: list[int] = []
    most: list[int] = []

    def enter(number: int) -> None:
        under_way.append(number)
        most.append(len(under_way))

    if is_async:

        @pipe.node(concurrency=2)
        async def answer(ask: Ask) -> Answer:
            enter(ask.number)
            await anyio.lowlevel.checkpoint()
            under_way.remove(ask.number)
            return Answer()
    else:
        pair = threading.Barrier(2)

        @pipe.node(concurrency=2, name="answer")
        def answer_sync(ask: Ask) -> Answer:
            enter(ask.number)
            pair.wait(10)  # two at a time do come together
            under_way.remove(ask.number)
            return Answer()

    async with bench(pipe) as on, anyio.create_task_group() as tasks:
        for number in range(8):
            tasks.start_soon(on.run, Ask(number))

    assert len(most) == 8
    assert max(most) == 2


async def test_with_concurrency_of_one_calls_follow_each_other() -> None:
    pipe = Pipe("single")
    under_way: list[int] = []

    @pipe.node(concurrency=1)
    async def answer(ask: Ask) -> Answer:
        assert not under_way
        under_way.append(ask.number)
        await anyio.lowlevel.checkpoint()
        under_way.clear()
        return Answer(ask.number)

    async with bench(pipe) as on:
        settled = await asyncio.gather(*(on.run(Ask(number)) for number in range(5)))
        assert [on.result(one).number for one in settled] == [0, 1, 2, 3, 4]


async def test_concurrency_beyond_the_shared_threads_is_given() -> None:
    pipe = Pipe("wide")
    wanted = int(to_thread.current_default_thread_limiter().total_tokens) + 1
    together = threading.Barrier(wanted)

    @pipe.node(concurrency=wanted)
    def answer(ask: Ask) -> Drop:
        together.wait(10)
        return Drop()

    async with bench(pipe) as on:
        settled = await asyncio.gather(*(on.run(Ask()) for _ in range(wanted)))

    assert all(one.dead is None for one in settled)


async def test_the_time_of_a_sync_call_starts_when_it_has_its_thread() -> None:
    pipe = Pipe("waiting")

    @pipe.node(timeout=0.05)
    def answer(ask: Ask) -> Answer:
        return Answer(1)

    threads = to_thread.current_default_thread_limiter()
    others = [object() for _ in range(int(threads.total_tokens))]
    for other in others:
        threads.acquire_on_behalf_of_nowait(other)
    async with bench(pipe) as on, anyio.create_task_group() as tasks:
        waiting = asyncio.ensure_future(on.run(Ask()))
        with anyio.move_on_after(0.1):  # twice the time-out, in which no thread is free
            await asyncio.shield(waiting)
        assert not waiting.done()
        for other in others:
            threads.release_on_behalf_of(other)
        assert on.result(await waiting) == Answer(1)
        tasks.cancel_scope.cancel()


async def test_a_cancellation_that_comes_out_of_what_a_node_waits_for_is_a_failure_of_the_node() -> None:
    pipe = Pipe("cancelled")

    @pipe.node
    async def answer(ask: Ask) -> Answer:
        helper = asyncio.ensure_future(anyio.sleep_forever())
        await anyio.lowlevel.checkpoint()
        helper.cancel()
        await helper
        return Answer()

    async with bench(pipe) as on:
        settled = await on.run(Ask())

    failed = failure(settled)
    assert (failed.kind, failed.source, failed.error) == (
        FailureKind.STEP,
        FailureSource.USER_CODE,
        "NodeCancelledError",
    )
    assert settled.dead is not None


@pytest.mark.parametrize("cancels_itself", [True, False])
async def test_a_sibling_that_is_cancelled_from_within_fails_the_run_rather_than_vanish(cancels_itself: bool) -> None:
    pipe = Pipe("cancelled")

    @pipe.node
    async def split(ask: Ask) -> list[Part]:
        return [Part(0), Part(1)]

    @pipe.node
    async def answer(part: Part) -> Drop:
        if part.number:
            task = asyncio.current_task()
            assert task is not None
            if not cancels_itself:
                raise asyncio.CancelledError
            task.cancel()
            await anyio.lowlevel.checkpoint()
        return Drop()

    async with bench(pipe) as on:
        failed = failure(await on.run(Ask()))
        assert (failed.kind, failed.node, failed.error) == (FailureKind.STEP, "answer", "NodeCancelledError")


async def test_cancelling_a_hop_cancels_its_node_and_comes_out_as_a_cancellation() -> None:
    pipe = Pipe("cancelled")
    started = asyncio.Event()

    @pipe.node
    async def answer(ask: Ask) -> Answer:
        started.set()
        await anyio.sleep_forever()
        return Answer()

    async with bench(pipe) as on:
        hop = asyncio.ensure_future(on.run(Ask()))
        await started.wait()
        hop.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hop


async def test_a_limiter_is_of_its_node_so_that_nodes_do_not_wait_for_each_other() -> None:
    pipe = Pipe("apart")

    @pipe.node(concurrency=1)
    async def split(ask: Ask) -> Part:
        return Part()

    @pipe.node(concurrency=1)
    async def answer(part: Part) -> Answer:
        return Answer()

    async with bench(pipe) as on:
        settled = await asyncio.gather(*(on.run(Ask()) for _ in range(3)))
        assert [on.result(one) for one in settled] == [Answer()] * 3


def test_a_limiter_made_before_its_event_loop_works_there() -> None:
    limiter = CapacityLimiter(1)

    async def use() -> float:
        async with limiter:
            return limiter.total_tokens

    assert asyncio.run(use()) == 1
