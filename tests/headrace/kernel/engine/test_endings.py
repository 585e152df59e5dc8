"""How runs end: start-up and shutdown hooks, time-outs, cancellation, iterators that are left early, phases."""

import asyncio
import gc
from itertools import product

import anyio
import anyio.lowlevel
import pytest
from tests.headrace.kernel.engine.pipes import Item, Many, Sum, chain, squares
from tests.headrace.kernel.engine.told import finish, names, story, why

from headrace import Pipe, RunFailedError
from headrace.errors import FailureKind
from headrace.kernel.events import KernelEvent, NodeStarted
from headrace.kernel.phases import PHASE_MOVES, Phase, PhaseError, Phases
from headrace.ledger.values import RunState
from headrace.testing.wait import wait_until


def waiting() -> tuple[Pipe, list[str]]:
    """A pipe whose node waits for ever, and what its hooks were called for."""
    pipe = Pipe("waiting")
    called: list[str] = []

    @pipe.on_startup
    async def open_up() -> None:
        called.append("startup")

    @pipe.on_shutdown
    async def shut_down() -> None:
        await anyio.lowlevel.checkpoint()
        called.append("shutdown")

    @pipe.node
    async def wait(message: Many) -> Sum:
        try:
            await anyio.sleep_forever()
        finally:
            called.append("left")
        return Sum(0)

    return pipe, called


async def test_a_run_that_is_out_of_time_says_so_before_its_finish() -> None:
    pipe, called = waiting()
    events = await story(pipe, Many(1), timeout=0.1)
    assert names(events)[-2:] == ["RunTimedOut", "RunFinished"]
    assert finish(events).status is RunState.EXPIRED
    assert why(events).kind is FailureKind.DEADLINE
    assert called == ["startup", "left", "shutdown"]


async def test_a_cancelled_run_says_so_before_its_finish() -> None:
    pipe, called = waiting()
    events = pipe.events(Many(1))
    heard: list[KernelEvent] = []
    async for event in events:
        heard.append(event)
        if isinstance(event, NodeStarted):
            assert events.cancel()
    assert names(heard)[-2:] == ["RunCancelled", "RunFinished"]
    assert finish(heard).status is RunState.CANCELLED
    assert not events.cancel()
    assert called == ["startup", "left", "shutdown"]


async def test_no_node_starts_after_a_cancel_even_where_none_ever_waits() -> None:
    pipe = Pipe("busy")
    calls: list[int] = []

    @pipe.node
    async def split(message: Many) -> list[Item]:
        return [Item(number) for number in range(message.count)]

    @pipe.node
    async def work(item: Item) -> Sum | None:
        calls.append(item.number)
        return None

    events = pipe.events(Many(5000))
    heard: list[KernelEvent] = []
    async for event in events:
        if not heard or isinstance(event, NodeStarted):
            events.cancel()
            before = len(calls)
        heard.append(event)
    assert len(calls) == before < 5000
    assert finish(heard).status is RunState.CANCELLED


async def test_a_run_cancelled_before_its_first_event_calls_no_node() -> None:
    events = squares().events(Many(1))
    assert events.cancel()
    assert names([event async for event in events]) == ["RunStarted", "RunCancelled", "RunFinished"]


async def test_a_cancel_reaches_a_node_that_waits_where_there_is_nothing_to_shut_down() -> None:
    pipe = Pipe("patient")

    @pipe.node
    async def wait(message: Many) -> Sum:
        await anyio.sleep_forever()
        return Sum(message.count)

    events = pipe.events(Many(1))
    told: list[KernelEvent] = []
    async for event in events:
        told.append(event)
        if isinstance(event, NodeStarted):
            assert events.cancel()
    assert names(told) == ["RunStarted", "NodeStarted wait", "RunCancelled", "RunFinished"]
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()


async def test_closing_the_iterator_early_cancels_the_run_and_cleans_up() -> None:
    pipe, called = waiting()
    heard: list[KernelEvent] = []
    async with pipe.events(Many(1), observers=(heard.append,)) as events:
        async for event in events:
            if isinstance(event, NodeStarted):
                break
    assert called == ["startup", "left", "shutdown"]
    assert names(heard)[-2:] == ["RunCancelled", "RunFinished"]
    await events.aclose()


async def test_an_iterator_that_is_just_left_is_closed_by_the_event_loop() -> None:
    pipe, called = waiting()
    async for event in pipe.events(Many(1)):
        if isinstance(event, NodeStarted):
            break
    del event
    gc.collect()
    await wait_until(lambda: called == ["startup", "left", "shutdown"], timeout_s=5, description="the run is closed")


async def test_a_run_whose_events_nobody_asked_for_never_begins() -> None:
    pipe, called = waiting()
    events = pipe.events(Many(1))
    await events.aclose()
    assert called == []


async def test_cancelling_who_waits_for_a_run_cancels_the_run() -> None:
    pipe, called = waiting()
    task = asyncio.create_task(pipe.run(Many(1)))
    await wait_until(lambda: called == ["startup"], timeout_s=5, description="the run has begun")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert called == ["startup", "left", "shutdown"]


async def test_a_scope_around_a_run_that_is_cancelled_still_lets_it_shut_down() -> None:
    pipe, called = waiting()
    with anyio.move_on_after(0.001):
        await pipe.run(Many(1))
    assert called == ["startup", "left", "shutdown"]


async def test_a_failed_start_up_calls_no_node_and_still_shuts_down() -> None:
    pipe, message, _ = chain(1)
    called: list[str] = []

    @pipe.on_startup
    def fail() -> None:
        raise OSError

    @pipe.on_shutdown
    def shut_down() -> None:
        called.append("shutdown")

    events = await story(pipe, message)
    assert names(events) == ["RunStarted", "RunFinished"]
    assert why(events).kind is FailureKind.STARTUP
    assert called == ["shutdown"]


async def test_a_cancel_during_start_up_ends_it() -> None:
    pipe, message, _ = chain(1)
    hook_waits = anyio.Event()

    @pipe.on_startup
    async def wait() -> None:
        hook_waits.set()
        await anyio.sleep_forever()

    events = pipe.events(message)
    await anext(events)
    await hook_waits.wait()
    events.cancel()
    assert names([event async for event in events]) == ["RunCancelled", "RunFinished"]


async def test_a_failed_shutdown_fails_a_run_that_had_completed() -> None:
    pipe, message, _ = chain(1)

    @pipe.on_shutdown
    def fail() -> None:
        raise OSError

    with pytest.raises(RunFailedError) as raised:
        await pipe.run(message)
    assert raised.value.failure.kind is FailureKind.SHUTDOWN
    assert isinstance(raised.value.__cause__, OSError)


async def test_a_failed_shutdown_does_not_hide_the_first_failure() -> None:
    pipe = Pipe("both")

    @pipe.node
    async def broken(message: Many) -> Sum:
        raise LookupError

    @pipe.on_shutdown
    def fail() -> None:
        raise OSError

    failure = why(await story(pipe, Many(1)))
    assert (failure.kind, failure.error) == (FailureKind.STEP, "LookupError")


async def test_when_one_branch_fails_the_others_are_cut_short() -> None:
    pipe = Pipe("branches")
    left: list[str] = []

    @pipe.node
    async def broken(message: Many) -> Item:
        await anyio.sleep(0.001)
        raise ValueError

    @pipe.node
    async def waits(message: Many) -> Sum:
        try:
            await anyio.sleep_forever()
        finally:
            left.append("waits")
        return Sum(0)

    assert finish(await story(pipe, Many(1))).status is RunState.FAILED
    assert left == ["waits"]


async def test_a_node_that_cancels_its_own_task_fails_its_run() -> None:
    pipe = Pipe("suicide")

    @pipe.node
    async def split(message: Many) -> list[Item]:
        return [Item(0), Item(1), Item(2)]

    @pipe.node
    async def work(item: Item) -> Sum | None:
        if item.number == 1:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
        await anyio.lowlevel.checkpoint()
        return None

    assert why(await story(pipe, Many(1))).error == "NodeCancelledError"


async def test_a_node_that_cancels_the_leading_task_of_its_run_fails_it() -> None:
    pipe = Pipe("suicide")

    @pipe.node
    async def work(message: Many) -> Sum:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await anyio.lowlevel.checkpoint()
        return Sum(message.count)

    events = await story(pipe, Many(1))
    assert why(events).error == "NodeCancelledError"
    assert finish(events).status is RunState.FAILED


async def test_a_cancelled_wait_in_a_node_is_its_failure() -> None:
    pipe = Pipe("cancelled")

    @pipe.node
    async def work(message: Many) -> Sum:
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future
        return Sum(0)

    assert why(await story(pipe, Many(1))).error == "NodeCancelledError"


async def test_a_run_may_be_run_again() -> None:
    pipe = squares()
    assert [await pipe.run(Many(2)), await pipe.run(Many(3))] == [Sum(1), Sum(5)]


async def test_runs_go_on_side_by_side_and_apart() -> None:
    pipe = squares()
    results: list[Sum] = []

    async def run(count: int) -> None:
        results.append(await pipe.run(Many(count)))

    async with anyio.create_task_group() as tasks:
        for count in (1, 2, 3):
            tasks.start_soon(run, count)
    assert sorted(result.value for result in results) == [0, 1, 5]


@pytest.mark.parametrize(("now", "to"), list(product(Phase, Phase)))
def test_a_run_makes_just_the_moves_of_its_table(now: Phase, to: Phase) -> None:
    phases = Phases()
    phases.now = now
    if to in PHASE_MOVES[now]:
        phases.move(to)
        assert phases.now is to
    else:
        with pytest.raises(PhaseError, match=f"from {now} to {to}"):
            phases.move(to)


@pytest.mark.parametrize("begins_badly", [True, False])
async def test_the_last_event_lists_every_hook_that_failed_the_first_one_first(begins_badly: bool) -> None:
    pipe, entry, _ = chain(1)

    @pipe.on_startup
    def begin() -> None:
        if begins_badly:
            raise KeyError

    @pipe.on_shutdown
    async def first() -> None:
        raise LookupError

    @pipe.on_shutdown
    def second() -> None:
        raise ConnectionError

    heard = await story(pipe, entry)
    told = [(failure.kind, failure.error) for failure in finish(heard).failures]
    ends = [(FailureKind.SHUTDOWN, "LookupError"), (FailureKind.SHUTDOWN, "ConnectionError")]
    assert told == [*([(FailureKind.STARTUP, "KeyError")] if begins_badly else []), *ends]
    assert why(heard).kind is told[0][0]


@pytest.mark.parametrize(("timeout", "status"), [(0.02, RunState.EXPIRED), (None, RunState.CANCELLED)])
async def test_a_shutdown_hook_that_fails_after_a_cut_is_listed_and_the_run_ends_as_cut(
    timeout: float | None, status: RunState
) -> None:
    pipe, _ = waiting()

    @pipe.on_shutdown
    def fail() -> None:
        raise LookupError

    heard: list[KernelEvent] = []
    async with pipe.events(Many(1), timeout=timeout) as events:
        async for event in events:
            heard.append(event)
            if timeout is None and isinstance(event, NodeStarted):
                events.cancel()
    assert finish(heard).status is status
    assert [failure.kind for failure in finish(heard).failures][-1] is FailureKind.SHUTDOWN


async def test_a_cancelled_caller_is_cancelled_although_a_shutdown_hook_fails() -> None:
    pipe, _ = waiting()
    told: list[KernelEvent] = []

    @pipe.on_shutdown
    def fail() -> None:
        raise LookupError

    run = asyncio.create_task(pipe.run(Many(1), observers=(told.append,)))
    await wait_until(lambda: any(isinstance(event, NodeStarted) for event in told), description="its node was called")
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert finish(told).status is RunState.CANCELLED


@pytest.mark.parametrize("at", ["startup", "shutdown"])
async def test_a_hook_that_exits_fails_its_run_and_not_the_program(at: str) -> None:
    pipe, entry, _ = chain(1)

    def leave() -> None:
        raise SystemExit(3)

    (pipe.on_startup if at == "startup" else pipe.on_shutdown)(leave)
    heard = await story(pipe, entry)
    assert (why(heard).kind, why(heard).error) == (FailureKind(at), "NodeExitedError")
