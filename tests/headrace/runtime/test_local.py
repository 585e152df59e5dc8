"""The memory profile: a whole deployment in one process."""

import asyncio

import pytest
from msgspec import Struct

from headrace.errors import FailureKind, RunExpiredError, RunFailedError, WaitTimeoutError
from headrace.graph.options import Drop, Retry, State
from headrace.graph.pipe import Pipe
from headrace.kernel.events import KernelEvent
from headrace.ledger.values import RunState
from headrace.runtime.local import local
from headrace.runtime.submissions import Options
from headrace.testing.wait import wait_until


class Ask(Struct, frozen=True):
    number: int = 0


class Part(Struct, frozen=True):
    number: int = 0


class Answer(Struct, frozen=True):
    number: int = 0


def three_groups(log: list[str]) -> Pipe:
    pipe = Pipe("spread")

    @pipe.on_startup
    def start() -> None:
        log.append("start")

    @pipe.on_shutdown
    async def stop() -> None:
        log.append("stop")

    @pipe.node(group="first")
    async def split(ask: Ask) -> Part:
        return Part(ask.number + 1)

    @pipe.node(group="second")
    def double(part: Part) -> Answer | Drop:
        if part.number < 0:
            raise ValueError("SECRET")
        return Answer(part.number * 2) if part.number else Drop()

    @pipe.node(group="third")
    async def note(part: Part) -> None:
        log.append("noted")

    return pipe


async def test_a_run_goes_through_all_groups_and_hooks_run_once_though_there_are_several() -> None:
    log: list[str] = []
    heard: list[KernelEvent] = []
    async with local(three_groups(log).compile(), observers=(heard.append,)) as client:
        assert await client.run(Ask(4)) == Answer(10)
        await wait_until(lambda: "noted" in log, description="the other branch has ended")

    assert log == ["start", "noted", "stop"]
    assert {event.group for event in heard} == {"first", "second", "third"}


async def test_a_run_that_drains_without_an_output_completes_with_none() -> None:
    async with local(three_groups([]).compile()) as client:
        assert await client.run(Ask(-1)) is None


async def test_a_run_that_fails_says_how_and_nothing_of_its_payload() -> None:
    async with local(three_groups([]).compile()) as client:
        with pytest.raises(RunFailedError) as caught:
            await client.run(Ask(-5))

    assert (caught.value.failure.kind, caught.value.failure.node) == (FailureKind.STEP, "double")
    assert "SECRET" not in str(caught.value)


async def test_a_run_past_its_deadline_expires() -> None:
    pipe = Pipe("late")

    @pipe.node
    async def answer(ask: Ask) -> Answer | Retry:
        return Retry(after=0.005)

    async with local(pipe.compile()) as client:
        with pytest.raises(RunExpiredError):
            await client.run(Ask(), options=Options(timeout_s=0.01))


async def test_what_a_node_fails_at_for_a_while_succeeds_when_it_is_tried_again() -> None:
    pipe = Pipe("flaky")
    calls: list[int] = []

    @pipe.node(retry=Retry(backoff=0.001))
    async def answer(ask: Ask) -> Answer:
        calls.append(1)
        if len(calls) < 3:
            raise ConnectionError
        return Answer(len(calls))

    async with local(pipe.compile()) as client:
        assert await client.run(Ask()) == Answer(3)


async def test_a_cancellation_out_of_a_node_ends_its_run_rather_than_leave_it_open() -> None:
    pipe = Pipe("cancelled")

    @pipe.node
    async def answer(ask: Ask) -> Answer:
        raise asyncio.CancelledError

    async with local(pipe.compile()) as client:
        with pytest.raises(RunFailedError):
            await client.run(Ask())


@pytest.mark.parametrize("error", [ValueError("mine"), KeyboardInterrupt("mine"), asyncio.CancelledError("mine")])
async def test_the_bodys_own_error_comes_out_as_it_is_and_the_shutdown_hooks_have_run(error: BaseException) -> None:
    log: list[str] = []
    with pytest.raises(type(error), match=r"^mine$") as caught:
        async with local(three_groups(log).compile()):
            raise error
    assert caught.value is error
    assert log == ["start", "stop"]


async def test_a_start_up_hook_that_fails_comes_out_as_it_is_and_the_shutdown_hooks_have_run() -> None:
    pipe = three_groups(log := list[str]())

    @pipe.on_startup
    async def fail() -> None:
        raise RuntimeError("no start")

    with pytest.raises(RuntimeError, match=r"^no start$"):
        async with local(pipe.compile()):
            pass
    assert log == ["start", "stop"]


async def test_closing_finishes_what_is_under_way() -> None:
    pipe = Pipe("under-way")
    log: list[str] = []
    started, go_on = asyncio.Event(), asyncio.Event()

    @pipe.node
    async def answer(ask: Ask) -> Answer:
        started.set()
        await go_on.wait()
        log.append("finished")
        return Answer()

    @pipe.on_shutdown
    def stop() -> None:
        log.append("stop")

    async with local(pipe.compile()) as client:
        await client.submit(Ask())
        await started.wait()
        asyncio.get_running_loop().call_soon(go_on.set)
    assert log == ["finished", "stop"]


async def test_a_wait_that_runs_out_leaves_a_run_that_can_be_waited_for_again() -> None:
    pipe = Pipe("slow")
    go_on = asyncio.Event()

    @pipe.node
    async def answer(ask: Ask) -> Answer:
        await go_on.wait()
        return Answer(1)

    async with local(pipe.compile()) as client:
        with pytest.raises(WaitTimeoutError) as caught:
            await client.run(Ask(), timeout_s=0.001)
        go_on.set()
        terminal = await client.wait(caught.value.trace_id)
        assert terminal.state is RunState.COMPLETED
        assert client.result(caught.value.trace_id, terminal) == Answer(1)


async def test_two_deployments_in_one_process_are_apart() -> None:
    async with local(three_groups([]).compile()) as one, local(three_groups([]).compile()) as other:
        first, second = await asyncio.gather(one.run(Ask(1)), other.run(Ask(2)))
        assert (first, second) == (Answer(4), Answer(6))


class Broken(Struct):
    count: int = 0

    def __post_init__(self) -> None:
        raise LookupError


async def test_a_first_state_that_cannot_be_made_fails_its_run_rather_than_its_worker() -> None:
    pipe = Pipe("broken")

    @pipe.node(key=lambda _: "one")
    async def count(ask: Ask, state: State[Broken]) -> Answer:
        return Answer(state.count)

    async with local(pipe.compile()) as client:
        for _ in range(2):  # the worker lives
            with pytest.raises(RunFailedError, match="invalid_message"):
                await client.run(Ask(), timeout_s=30)
