"""The context of a call, and the events that observers are told."""

import threading

from msgspec import Struct
from tests.headrace.kernel.bench import TRACE, bench

from headrace.graph.pipe import Pipe
from headrace.kernel.context import Context
from headrace.kernel.events import Emitted, KernelEvent, NodeEnded, NodeFailed, NodeStarted


class Ask(Struct, frozen=True):
    number: int = 0


class Answer(Struct, frozen=True):
    number: int = 0


def asking(seen: list[Context]) -> Pipe:
    pipe = Pipe("asking")

    @pipe.node
    async def answer(ask: Ask, ctx: Context) -> Answer:
        seen.append(ctx)
        ctx.emit("half way")
        return Answer()

    return pipe


async def test_the_context_says_what_a_call_may_know_of_its_run() -> None:
    seen: list[Context] = []
    async with bench(asking(seen)) as on:
        await on.run(Ask(), id="7", attempt=3, deadline_ms=2_000_000_500)
        await on.run(Ask(), id="8", origin_run_id="f" * 32)

    first, second = seen
    assert (first.trace_id, first.run_id, first.invocation_id) == (TRACE, TRACE, "7")
    assert (first.pipe, first.node, first.group) == ("asking", "answer", "main")
    assert (first.attempt, first.deadline) == (3, 2_000_000.5)
    assert (second.run_id, second.invocation_id, second.attempt, second.deadline) == ("f" * 32, "8", 1, None)


async def test_the_logger_of_a_context_is_bound_to_its_run_and_node() -> None:
    seen: list[Context] = []
    async with bench(asking(seen)) as on:
        await on.run(Ask())

    bound = seen[0].logger._context
    assert bound == {"trace_id": TRACE, "pipe": "asking", "node": "answer", "group": "main"}


async def test_observers_are_told_the_events_of_a_call_in_order() -> None:
    heard: list[KernelEvent] = []
    async with bench(asking([]), observers=(heard.append,)) as on:
        await on.run(Ask(), attempt=2)

    started, emitted, over = heard
    assert isinstance(started, NodeStarted)
    assert isinstance(emitted, Emitted)
    assert emitted.value == "half way"
    assert {(each.trace_id, each.node, each.group, each.attempt) for each in heard} == {(TRACE, "answer", "main", 2)}
    assert [each.seq for each in heard] == [1, 2, 3]
    assert isinstance(over, NodeEnded)
    assert (over.attempt, over.outputs, over.duration_s >= 0) == (2, 1, True)


async def test_the_pipes_own_observers_are_told_first_and_none_spoils_it_for_the_others() -> None:
    pipe = asking([])
    told: list[str] = []

    def spoiler(event: KernelEvent) -> None:
        told.append("spoiler")
        raise RuntimeError

    pipe.observe(spoiler)
    pipe.observe(lambda event: told.append("own"))
    async with bench(pipe, observers=(lambda event: told.append("other"),)) as on:
        assert on.result(await on.run(Ask())) == Answer()

    assert told == ["spoiler", "own", "other"] * 3


async def test_a_failed_call_is_told_with_its_failure() -> None:
    pipe = Pipe("failing")
    heard: list[KernelEvent] = []

    @pipe.node
    async def answer(ask: Ask) -> Answer:
        raise ValueError("SECRET")

    async with bench(pipe, observers=(heard.append,)) as on:
        await on.run(Ask())

    (_, failed) = heard
    assert isinstance(failed, NodeFailed)
    assert (failed.failure.error, failed.failure.detail, failed.retry_in_s) == ("ValueError", "", None)


async def test_what_a_sync_node_emits_is_told_on_the_event_loop_before_its_end() -> None:
    pipe = Pipe("threads")
    threads: list[int] = []
    heard: list[type[KernelEvent]] = []

    @pipe.node
    def answer(ask: Ask, ctx: Context) -> Answer:
        ctx.emit("from a thread")
        return Answer()

    def observer(event: KernelEvent) -> None:
        threads.append(threading.get_ident())
        heard.append(type(event))

    async with bench(pipe, observers=(observer,)) as on:
        await on.run(Ask())

    assert heard == [NodeStarted, Emitted, NodeEnded]
    assert set(threads) == {threading.get_ident()}


async def test_emitting_where_nobody_observes_does_nothing() -> None:
    async with bench(asking([])) as on:
        assert on.result(await on.run(Ask())) == Answer()
