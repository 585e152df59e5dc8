"""What a run tells: which events, in which order, and what they carry."""

from typing import Any

import anyio
import anyio.lowlevel
import pytest
from tests.headrace.kernel.engine.pipes import Done, Item, Left, Many, Right, Sum, chain, speaking, squares
from tests.headrace.kernel.engine.told import finish, names, story

from headrace import Context, Failure, Gather, Pipe, Retry
from headrace.errors import FailureKind, FailureSource
from headrace.graph.plan import PlanNode
from headrace.kernel.calls import Call, Middleware
from headrace.kernel.events import (
    Emitted,
    FanOutCompleted,
    FanOutItem,
    FanOutStarted,
    JoinReleased,
    JoinWaited,
    KernelEvent,
    NodeEnded,
    NodeFailed,
    NodeStarted,
    RunStarted,
    TerminalDropped,
)
from headrace.ledger.values import RunState


async def test_a_run_is_told_from_its_start_to_its_finish() -> None:
    pipe, message, last = chain(2)
    events = await story(pipe, message)
    assert names(events) == [
        "RunStarted",
        "NodeStarted n0",
        "NodeEnded n0",
        "NodeStarted n1",
        "NodeEnded n1",
        "RunFinished",
    ]
    assert finish(events).status is RunState.COMPLETED
    assert finish(events).result == last(2)
    assert finish(events).failure is None


async def test_events_are_numbered_without_a_gap_and_named_after_their_run() -> None:
    events = await story(squares(), Many(3))
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert len({event.run_id for event in events}) == 1
    assert {event.origin_run_id for event in events} == {events[0].run_id}
    assert [event.time for event in events] == sorted(event.time for event in events)


async def test_a_call_is_known_by_its_invocation_its_parent_and_the_owner_of_its_scope() -> None:
    events = await story(squares(), Many(2))
    started = {event.node: event for event in events if isinstance(event, NodeStarted)}
    ended = {event.invocation_id for event in events if isinstance(event, NodeEnded)}
    split, square, add = started["split"], started["square"], started["add"]
    assert ended == {event.invocation_id for event in events if isinstance(event, NodeStarted)}
    assert square.parent_invocation_id == square.owner_invocation_id == split.invocation_id
    assert square.scope
    assert add.parent_invocation_id == split.invocation_id
    assert (add.owner_invocation_id, add.scope) == ("", "")
    assert [split.node_kind, square.node_kind, add.node_kind] == ["fan_out", "step", "gather"]


async def test_a_fan_out_is_told_item_by_item_until_it_is_gathered() -> None:
    events = await story(squares(), Many(300))
    assert [event.items for event in events if isinstance(event, FanOutStarted)] == [300]
    assert [event.position for event in events if isinstance(event, FanOutItem)] == list(range(300))
    assert [(event.node, event.items) for event in events if isinstance(event, FanOutCompleted)] == [("add", 300)]
    metrics = finish(events).metrics
    assert (metrics.fan_outs, metrics.fan_out_items, metrics.nodes["square"].calls) == (1, 300, 300)


async def test_a_join_tells_what_it_waits_for_and_when_it_fires() -> None:
    pipe = Pipe("joined")

    @pipe.node
    async def left(message: Many) -> Left:
        return Left(1)

    @pipe.node
    async def right(message: Many) -> Right:
        return Right(1)

    @pipe.node
    async def both(one: Left, other: Right) -> Sum:
        return Sum(2)

    events = await story(pipe, Many(1))
    assert [(event.node, event.slot) for event in events if isinstance(event, JoinWaited)] == [("both", "one")]
    assert [(event.node, event.messages) for event in events if isinstance(event, JoinReleased)] == [("both", 2)]
    assert finish(events).metrics.joins == 1


async def test_a_second_terminal_output_is_told_as_dropped() -> None:
    pipe = Pipe("twice")

    @pipe.node
    async def split(message: Many) -> list[Item]:
        return [Item(1), Item(2), Item(3)]

    events = await story(pipe, Many(1))
    assert len([event for event in events if isinstance(event, TerminalDropped)]) == 2
    assert finish(events).result == Item(1)


async def test_tokens_come_while_their_node_still_runs() -> None:
    pipe = Pipe("stream")
    read = anyio.Event()

    @pipe.node
    async def speak(message: Many, ctx: Context) -> Sum:
        ctx.emit("first")
        await read.wait()
        ctx.emit("second")
        return Sum(2)

    tokens = []
    async for event in pipe.events(Many(1)):
        if isinstance(event, Emitted):
            tokens.append(event.value)
            read.set()
    assert tokens == ["first", "second"]


async def test_tokens_of_a_thread_come_in_order_before_its_end() -> None:
    pipe = Pipe("thread")

    @pipe.node
    def speak(message: Many, ctx: Context) -> Sum:
        for token in range(3):
            ctx.emit(token)
        return Sum(3)

    events = await story(pipe, Many(1))
    assert names(events)[2:] == ["Emitted speak", "Emitted speak", "Emitted speak", "NodeEnded speak", "RunFinished"]
    assert [event.seq for event in events] == list(range(1, 8))


async def test_a_slow_reader_holds_the_run_up() -> None:
    started = 0

    pipe = Pipe("eager")

    @pipe.node
    async def split(message: Many) -> list[Item]:
        return [Item(number) for number in range(message.count)]

    @pipe.node
    async def work(item: Item) -> Done:
        nonlocal started
        started += 1
        return Done(item.number)

    @pipe.node
    async def add(done: Gather[Done]) -> Sum:
        return Sum(len(done))

    async with pipe.events(Many(3000)) as events:
        assert isinstance(await anext(events), RunStarted)
        for _ in range(100):
            await anyio.lowlevel.checkpoint()
        assert started < 1000
        assert finish([event async for event in events]).result == Sum(3000)


async def test_a_failure_is_an_event_and_names_kind_source_and_node() -> None:
    pipe = Pipe("broken")

    @pipe.node(retry=Retry(attempts=2, backoff=0))
    async def broken(message: Many) -> Sum:
        raise ConnectionError

    events = await story(pipe, Many(1))
    failed = [event for event in events if isinstance(event, NodeFailed)]
    assert [(event.attempt, event.retry_in_s) for event in failed] == [(1, 0.0), (2, None)]
    assert failed[0].invocation_id == failed[1].invocation_id
    last = finish(events)
    assert last.status is RunState.FAILED
    assert last.failure is not None
    assert (last.failure.kind, last.failure.source, last.failure.node) == (
        FailureKind.STEP,
        FailureSource.EXTERNAL_DEP,
        "broken",
    )
    assert last.failures == (last.failure, last.failure)
    assert last.metrics.nodes["broken"].failed == 2


async def test_followers_of_a_failed_node_do_not_run() -> None:
    pipe = Pipe("broken")

    @pipe.node
    async def broken(message: Many) -> Item:
        raise ValueError

    @pipe.node
    async def follower(item: Item) -> Sum:
        return Sum(0)

    assert names(await story(pipe, Many(1))) == ["RunStarted", "NodeStarted broken", "NodeFailed broken", "RunFinished"]


async def test_a_branch_that_fails_after_the_result_is_listed_and_leaves_the_run_completed() -> None:
    pipe = Pipe("late")
    done = anyio.Event()

    @pipe.node
    async def quick(message: Many) -> Sum:
        done.set()
        return Sum(1)

    @pipe.node
    async def broken(message: Many) -> Item:
        await done.wait()
        raise ValueError

    last = finish(await story(pipe, Many(1)))
    assert (last.status, last.result, last.failure) == (RunState.COMPLETED, Sum(1), None)
    assert [failure.node for failure in last.failures] == ["broken"]


async def test_users_have_a_say_in_whose_fault_a_failure_is() -> None:
    pipe = Pipe("classified")

    @pipe.classify
    def of_the_platform(error: Exception, failure: Failure) -> FailureSource | None:
        return FailureSource.PLATFORM if isinstance(error, KeyError) else None

    @pipe.classify
    def broken_classifier(error: Exception, failure: Failure) -> None:
        raise RuntimeError

    @pipe.node
    async def broken(message: Many) -> Sum:
        raise KeyError

    failure = finish(await story(pipe, Many(1))).failure
    assert failure is not None
    assert (failure.kind, failure.source) == (FailureKind.STEP, FailureSource.PLATFORM)


async def test_an_observer_s_error_is_its_own() -> None:
    heard: list[KernelEvent] = []

    def spoiler(event: KernelEvent) -> None:
        raise RuntimeError

    pipe, message, last = chain(2)
    pipe.observe(spoiler)
    assert await pipe.run(message, observers=(heard.append,)) == last(2)
    assert names(heard)[-1] == "RunFinished"


async def test_a_hook_changes_events_or_keeps_them_back() -> None:
    pipe = speaking(2)

    @pipe.hook
    def discreet(event: KernelEvent) -> KernelEvent | None:
        return None if isinstance(event, Emitted) and event.value == 0 else event

    assert names(await story(pipe, Many(1))).count("Emitted speak") == 1


async def test_middleware_wraps_the_calls_of_every_node_the_first_outermost() -> None:
    pipe, message, last = chain(2)
    seen: list[str] = []

    def wrapping(name: str) -> Middleware:
        def wrap(node: PlanNode, call: Call) -> Call:
            async def wrapped(arguments: dict[str, Any]) -> list[Any]:
                seen.append(f"{name} {node.name}")
                return await call(arguments)

            return wrapped

        return wrap

    pipe.middleware(wrapping("outer"))
    pipe.middleware(wrapping("inner"))
    assert await pipe.run(message) == last(2)
    assert seen == ["outer n0", "inner n0", "outer n1", "inner n1"]


async def test_an_included_pipe_s_events_keep_where_they_came_from() -> None:
    inner = Pipe("inner")

    @inner.node
    async def work(item: Item) -> Done:
        return Done(item.number)

    outer = Pipe("outer")

    @outer.node
    async def start(message: Many) -> Item:
        return Item(message.count)

    outer.include(inner)

    @outer.node
    async def end(done: Done) -> Sum:
        return Sum(done.number)

    events = await story(outer, Many(4))
    origins = {event.node: (event.origin_run_id, event.parent_run_id) for event in events if event.node}
    run_id = events[0].run_id
    assert origins == {"start": (run_id, ""), "work": (f"{run_id}/inner", run_id), "end": (run_id, "")}
    assert finish(events).result == Sum(4)


@pytest.mark.parametrize("tokens", [0, 5000])
async def test_all_tokens_of_a_call_come_however_many(tokens: int) -> None:
    events = await story(speaking(tokens), Many(1))
    assert [event.value for event in events if isinstance(event, Emitted)] == list(range(tokens))
