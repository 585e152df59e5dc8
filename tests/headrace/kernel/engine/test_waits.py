"""Calls that come back: retries, suspensions, signals, barriers; and what is remembered between."""

import anyio
import pytest
from msgspec import Struct
from tests.headrace.kernel.engine.pipes import Left, Many, Right, Sum
from tests.headrace.kernel.engine.told import finish, names, story

from headrace import Context, Partial, Pipe, Retry, RunFailedError, Signal, Suspend
from headrace.errors import FailureKind, RunSuspendedError, UnknownSignalError
from headrace.kernel.events import KernelEvent, NodeStarted, Suspended
from headrace.ledger.values import RunState


class Approval(Struct):
    by: str


class Approved(Struct):
    by: str


def approving() -> Pipe:
    pipe = Pipe("approving")

    @pipe.node
    async def approve(message: Many, approval: Signal[Approval]) -> Approved | Suspend:
        return Suspend(until="approval") if approval is None else Approved(approval.by)

    return pipe


async def test_a_failed_call_is_made_again_under_the_same_invocation() -> None:
    pipe = Pipe("retrying")

    @pipe.node(retry=Retry(attempts=3, backoff=0.0001))
    async def flaky(message: Many, ctx: Context) -> Sum:
        if ctx.attempt < 3:
            raise ValueError
        return Sum(ctx.attempt)

    events = await story(pipe, Many(1))
    assert finish(events).result == Sum(3)
    started = [event for event in events if isinstance(event, NodeStarted)]
    assert [event.attempt for event in started] == [1, 2, 3]
    assert len({event.invocation_id for event in started}) == 1


async def test_attempts_are_counted_by_call_and_not_by_node() -> None:
    pipe = Pipe("twice")

    @pipe.node
    async def split(message: Many) -> list[Left]:
        return [Left(1), Left(2)]

    @pipe.node(retry=Retry(attempts=2, backoff=0))
    async def again(message: Left, ctx: Context) -> Sum:
        if ctx.attempt == 1:
            raise ValueError
        return Sum(ctx.attempt)

    events = await story(pipe, Many(1))
    assert sorted(event.attempt for event in events if names([event]) == ["NodeStarted again"]) == [1, 1, 2, 2]
    assert finish(events).status is RunState.COMPLETED


async def test_an_exhausted_retry_fails_the_run() -> None:
    pipe = Pipe("hopeless")

    @pipe.node(retry=Retry(attempts=2, backoff=0))
    async def broken(message: Many) -> Sum:
        raise ValueError

    with pytest.raises(RunFailedError):
        await pipe.run(Many(1))


async def test_a_node_out_of_time_fails_even_where_it_blocks_a_thread() -> None:
    pipe = Pipe("slow")
    ends = anyio.Event()

    @pipe.node(timeout=0.001)
    def block(message: Many) -> Sum:
        anyio.from_thread.run(ends.wait)
        return Sum(0)

    with pytest.raises(RunFailedError) as raised:
        await pipe.run(Many(1))
    ends.set()
    assert raised.value.failure.kind is FailureKind.TIMEOUT


async def test_a_suspended_call_is_told_and_goes_on_with_its_signal() -> None:
    events = approving().events(Many(1))
    heard: list[KernelEvent] = []
    async for event in events:
        heard.append(event)
        if isinstance(event, Suspended):
            assert event.until == "approval"
            assert events.signal("approval", Approval("Ada"))
            assert not events.signal("approval", Approval("Bob"))
    assert finish(heard).result == Approved("Ada")


async def test_a_signal_beforehand_is_there_when_it_is_wanted() -> None:
    assert await approving().run(Many(1), signals={"approval": Approval("Ada")}) == Approved("Ada")


async def test_a_run_that_nobody_can_resume_is_no_success() -> None:
    with pytest.raises(RunSuspendedError, match="waits for: approval"):
        await approving().run(Many(1))


async def test_a_signal_that_no_node_takes_is_refused() -> None:
    with pytest.raises(UnknownSignalError):
        await approving().run(Many(1), signals={"approvals": Approval("Ada")})


async def test_a_call_that_suspends_itself_for_a_time_comes_back_and_remembers() -> None:
    pipe = Pipe("later")

    @pipe.node
    async def wait(message: Many, ctx: Context) -> Sum | Suspend:
        calls = await ctx.once("first", lambda: 1, type=int)
        waited.append(calls)
        return Suspend(until=0.0001) if len(waited) < 3 else Sum(len(waited))

    waited: list[int] = []
    assert await pipe.run(Many(1)) == Sum(3)
    assert waited == [1, 1, 1]


async def test_a_join_s_patience_ends_and_it_goes_on_with_what_came() -> None:
    pipe = Pipe("patience")
    never = anyio.Event()

    @pipe.node
    async def slow(message: Many) -> Left:
        await never.wait()
        return Left(1)

    @pipe.node
    async def quick(message: Many) -> Right:
        return Right(1)

    @pipe.node(barrier_timeout=0.001)
    async def both(one: Partial[Left], other: Right) -> Sum:
        never.set()
        return Sum(0 if one is None else 1)

    assert await pipe.run(Many(1)) == Sum(0)


async def test_a_join_that_waits_too_long_for_what_it_needs_fails_the_run() -> None:
    pipe = Pipe("impatient")

    @pipe.node
    async def slow(message: Many) -> Left:
        await anyio.sleep_forever()
        return Left(1)

    @pipe.node
    async def quick(message: Many) -> Right:
        return Right(1)

    @pipe.node(barrier_timeout=0.001)
    async def both(one: Left, other: Right) -> Sum:
        return Sum(1)

    with pytest.raises(RunFailedError) as raised:
        await pipe.run(Many(1))
    assert raised.value.failure.kind is FailureKind.BARRIER_TIMEOUT
