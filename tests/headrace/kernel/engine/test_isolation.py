"""What users bring beside nodes, and what they leave behind, does not keep a run from its end."""

import asyncio
import math
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import ContextVar
from functools import partial
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from tests.headrace.kernel.engine.pipes import Done, Item, Many, Sum, chain
from tests.headrace.kernel.engine.told import finish, names, story, why

from headrace import CompileError, Context, Pipe, Retry, RunFailedError
from headrace.errors import FailureKind, FailureSource
from headrace.kernel.events import Emitted, KernelEvent, NodeFailed, NodeStarted, RunFinished
from headrace.ledger.values import RunState
from headrace.testing.harness import SyncHarness

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])
called_for: ContextVar[str] = ContextVar("called_for", default="nobody")


class Unnamed:
    """An observer or a hook whose own name cannot be told."""

    def __call__(self, event: KernelEvent) -> None:
        raise ValueError

    def __repr__(self) -> str:
        raise AttributeError


def answered() -> Pipe:
    """A pipe with a branch that answers, and one that never ends."""
    pipe = Pipe("answered")

    @pipe.node
    async def answer(message: Many) -> Sum:
        return Sum(message.count)

    @pipe.node
    async def audit(message: Many) -> Item:
        await anyio.sleep_forever()
        return Item(0)

    return pipe


@BACKENDS
def test_a_run_that_has_its_result_can_be_cancelled_and_keeps_it(backend: str) -> None:
    async def follow() -> list[KernelEvent]:
        heard: list[KernelEvent] = []
        async with answered().events(Many(7)) as events:
            async for event in events:
                heard.append(event)
                if isinstance(event, NodeStarted) and event.node == "audit":
                    await anyio.lowlevel.checkpoint()
                    assert events.cancel()
                    assert not events.cancel()
        return heard

    last = anyio.run(follow, backend=backend)[-1]
    assert isinstance(last, RunFinished)
    assert (last.status, last.result) == (RunState.COMPLETED, Sum(7))


@BACKENDS
def test_leaving_a_run_that_has_its_result_does_not_wait_for_the_rest(backend: str) -> None:
    async def leave() -> None:
        async with answered().events(Many(7)) as events:
            async for event in events:
                if isinstance(event, NodeStarted) and event.node == "audit":
                    break

    anyio.run(leave, backend=backend)


async def test_a_shutdown_hook_that_ends_what_it_waits_for_keeps_no_other_from_running() -> None:
    pipe, message, _ = chain(1)
    called: list[str] = []

    @pipe.on_shutdown
    async def stop() -> None:
        beside = asyncio.create_task(asyncio.sleep(3600))
        beside.cancel()
        await beside

    pipe.on_shutdown(partial(called.append, "flushed"))
    with pytest.raises(RunFailedError) as raised:
        await pipe.run(message)
    assert raised.value.failure.kind is FailureKind.SHUTDOWN
    assert called == ["flushed"]


async def test_a_cancelled_wait_in_a_start_up_hook_is_its_failure() -> None:
    pipe, message, _ = chain(1)

    @pipe.on_startup
    async def start() -> None:
        beside = asyncio.create_task(asyncio.sleep(3600))
        beside.cancel()
        await beside

    with pytest.raises(RunFailedError) as raised:
        await pipe.run(message)
    assert raised.value.failure.kind is FailureKind.STARTUP


async def test_an_observer_that_cannot_even_be_named_changes_nothing() -> None:
    pipe, message, _ = chain(1)
    pipe.observe(Unnamed())
    pipe.hook(Unnamed())
    assert finish(await story(pipe, message)).status is RunState.COMPLETED


async def test_an_observer_that_breaks_out_at_the_first_event_leaves_no_reader_behind() -> None:
    class Outcome(BaseException):
        """As a test framework raises."""

    pipe, message, _ = chain(1)

    def observe(_: KernelEvent) -> None:
        raise Outcome

    pipe.observe(observe)
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # of the run's task, which nobody waits for
    assert names([event async for event in pipe.events(message)])[0] == "RunStarted"


@BACKENDS
@pytest.mark.parametrize("kind", ["async", "sync"])
def test_a_generator_that_never_waits_can_be_timed_out(backend: str, kind: str) -> None:
    pipe = Pipe("endless")
    if kind == "async":

        @pipe.node
        async def speak(message: Many) -> AsyncIterator[Sum]:
            while True:
                yield Sum(0)
    else:

        @pipe.node
        def recite(message: Many) -> Iterator[Sum]:
            while True:
                yield Sum(0)

    async def end() -> RunState:
        return finish([event async for event in pipe.events(Many(1), timeout=0.05)]).status

    assert anyio.run(end, backend=backend) is RunState.EXPIRED


async def test_a_retry_on_time_outs_is_one_on_a_nodes_own() -> None:
    pipe, calls = Pipe("late"), 0

    @pipe.node(timeout=0.01, retry=Retry(attempts=2, backoff=0.0, on=(TimeoutError,)))
    async def late(message: Many) -> Sum:
        nonlocal calls
        calls += 1
        if calls == 1:
            await anyio.sleep_forever()
        return Sum(calls)

    assert await pipe.run(Many(1)) == Sum(2)


def test_one_pipe_with_a_synchronous_node_runs_on_one_event_loop_after_the_other() -> None:
    pipe = Pipe("both")

    @pipe.node
    def add(message: Many) -> Sum:
        return Sum(message.count)

    for backend in ("asyncio", "trio", "asyncio"):
        assert anyio.run(pipe.run, Many(3), backend=backend) == Sum(3)


@BACKENDS
def test_the_callers_context_reaches_the_nodes(backend: str) -> None:
    pipe, seen = Pipe("told"), list[str]()

    @pipe.node
    async def look(message: Many) -> Sum:
        seen.append(called_for.get())
        return Sum(0)

    async def follow() -> None:
        called_for.set("somebody")
        await story(pipe, Many(1))

    anyio.run(follow, backend=backend)
    assert seen == ["somebody"]


class Outcome(BaseException):
    """As a test framework raises."""


@BACKENDS
@pytest.mark.parametrize(
    "raised", [SystemExit(3), Outcome(), BaseExceptionGroup("several", [SystemExit(3), ValueError()])]
)
@pytest.mark.parametrize("is_sync", [True, False])
def test_what_a_node_raises_beside_errors_is_its_failure(backend: str, raised: BaseException, is_sync: bool) -> None:
    pipe = Pipe("broken")

    async def asynchronous(message: Many) -> Sum:
        raise raised

    def synchronous(message: Many) -> Sum:
        raise raised

    pipe.node(synchronous if is_sync else asynchronous)
    heard = anyio.run(partial(story, pipe, Many(1)), backend=backend)
    assert any(isinstance(event, NodeFailed) for event in heard)
    assert (why(heard).error, why(heard).source) == ("NodeExitedError", FailureSource.USER_CODE)
    with pytest.raises(RunFailedError) as failed:
        anyio.run(pipe.run, Many(1), backend=backend)
    assert failed.value.__cause__ is not None
    assert failed.value.__cause__.__cause__ is raised


def test_an_interrupt_is_the_programs_and_no_nodes_failure() -> None:
    pipe = Pipe("interrupted")

    @pipe.node
    async def interrupt(message: Many) -> Sum:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pipe.run_sync(Many(1))


@BACKENDS
def test_a_cancellation_of_asyncios_is_a_failure_of_its_node_wherever_it_was_not_asked_for(backend: str) -> None:
    pipe = Pipe("foreign")

    @pipe.node
    async def foreign(message: Many) -> Sum:
        raise asyncio.CancelledError

    heard = anyio.run(partial(story, pipe, Many(1)), backend=backend)
    assert (why(heard).error, why(heard).source) == ("NodeCancelledError", FailureSource.USER_CODE)


@BACKENDS
def test_a_cancellation_among_what_a_node_raises_goes_on(backend: str) -> None:
    pipe = Pipe("several")

    @pipe.node
    async def fail(message: Many) -> Sum:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.sleep_forever)
            try:
                await anyio.sleep_forever()
            finally:
                raise SystemExit(3)
        return Sum(0)

    async def follow() -> list[KernelEvent]:
        async with pipe.events(Many(1), timeout=0.1) as events:
            return [event async for event in events]

    assert finish(anyio.run(follow, backend=backend)).status is RunState.EXPIRED


async def test_a_run_cut_short_counts_its_tasks() -> None:
    last = finish([event async for event in answered().events(Many(1), timeout=0.2)])
    assert last.metrics.tasks > 1


async def test_a_starved_join_is_among_the_failures() -> None:
    pipe = Pipe("starved")

    @pipe.node
    async def nothing(message: Many) -> Item | None:
        return None

    @pipe.node
    async def something(message: Many) -> Sum:
        return Sum(1)

    @pipe.node
    async def join(item: Item, total: Sum) -> Done:
        return Done(0)

    events = await story(pipe, Many(1))
    assert why(events) in finish(events).failures


def test_a_pipe_that_includes_itself_is_a_mistake() -> None:
    pipe, _, _ = chain(1)
    pipe.include(pipe)
    with pytest.raises(CompileError, match="this name is taken"):
        pipe.compile()


@BACKENDS
def test_a_thread_left_behind_by_a_cancel_is_not_heard_any_more_i8(backend: str) -> None:
    pipe = Pipe("loud")
    has_spoken = threading.Event()

    @pipe.on_shutdown
    async def wait_for_the_thread() -> None:
        while not has_spoken.is_set():  # noqa: ASYNC110 - set by a thread
            await anyio.sleep(0.001)
        await anyio.lowlevel.checkpoint()  # what it has posted comes first

    has_left = threading.Event()

    @pipe.node
    def speak(message: Many, ctx: Context) -> Sum:
        ctx.emit("heard")
        has_left.wait()
        ctx.emit("too late")
        has_spoken.set()
        return Sum(0)

    async def follow() -> list[object]:
        heard: list[object] = []
        async for event in (events := pipe.events(Many(1))):
            if isinstance(event, Emitted):
                heard.append(event.value)
                events.cancel()
                has_left.set()
        return heard

    assert anyio.run(follow, backend=backend) == ["heard"]


@pytest.mark.parametrize("given", [None, "junk", NodeStarted("0")])
async def test_a_hook_cannot_take_a_runs_last_event_away(given: Any) -> None:
    pipe, message, _ = chain(1)
    pipe.hook(lambda event: given if isinstance(event, RunFinished) else event)
    assert finish(await story(pipe, message)).status is RunState.COMPLETED


async def test_a_hook_cannot_end_a_run_early() -> None:
    pipe, message, _ = chain(1)
    ends = finish(await story(pipe, message))
    pipe.hook(lambda _: ends)
    assert names(await story(pipe, message)).count("RunFinished") == 1


@pytest.mark.parametrize("add", [Pipe.observe, Pipe.hook, Pipe.classify])
def test_what_cannot_be_called_for_an_event_is_refused_where_it_is_declared(add: Callable[[Pipe, Any], Any]) -> None:
    async def later(*_: object) -> None: ...

    with pytest.raises(TypeError, match="is an async def"):
        add(Pipe("refusing"), later)
    with pytest.raises(TypeError, match="not a int"):
        add(Pipe("refusing"), 3)


async def test_a_run_may_have_for_ever() -> None:
    pipe, message, last = chain(1)
    assert await pipe.run(message, timeout=math.inf) == last(1)


def test_an_exception_whose_text_raises_is_a_failure_of_its_node(headrace_sync: SyncHarness) -> None:
    class UnspeakableError(Exception):
        def __str__(self) -> str:
            raise LookupError

    pipe = Pipe("unspeakable")

    @pipe.node
    async def fail(message: Many) -> Sum:
        raise UnspeakableError

    failure = headrace_sync.rehearse(pipe, Many(1)).failure
    assert failure is not None
    assert (failure.node, failure.error, failure.detail) == ("fail", "UnspeakableError", "its text raises LookupError")
