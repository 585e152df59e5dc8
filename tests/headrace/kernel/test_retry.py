"""How a failed call is tried again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from tests.headrace.kernel.bench import NOW_S, TRACE, bench, delivery_of, failure, joined_item, only

from headrace.errors import FailureKind
from headrace.graph.options import Drop, Retry
from headrace.graph.pipe import Pipe
from headrace.kernel.events import KernelEvent, NodeFailed, NodeStarted
from headrace.ledger.values import Item, Schedule, Settled

NOW_MS = int(NOW_S * 1000)


class Ask(Struct, frozen=True):
    number: int = 0


class Part(Struct, frozen=True):
    number: int = 0


class Side(Struct, frozen=True):
    number: int = 0


class Answer(Struct, frozen=True):
    number: int = 0


def failing(retry: Retry | int | None, error: type[Exception] = RuntimeError, times: int = 1_000_000) -> Pipe:
    """A pipe whose second node fails so many times."""
    pipe = Pipe("failing")
    left = [times]

    @pipe.node
    async def split(ask: Ask) -> Part:
        return Part(ask.number + 1)

    async def answer(part: Part) -> Answer:
        if left[0]:
            left[0] -= 1
            raise error("SECRET")
        return Answer(part.number)

    pipe.node(retry=retry)(answer) if retry is not None else pipe.node(answer)
    return pipe


def scheduled(settled: Settled) -> Schedule:
    (output,) = settled.outputs
    assert isinstance(output, Schedule)
    assert (settled.terminal, settled.dead) == (None, None)
    return output


async def test_just_the_node_that_failed_is_scheduled_again_and_what_ran_before_it_is_not() -> None:
    heard: list[KernelEvent] = []
    async with bench(failing(Retry(backoff=2.0, jitter=0.0), times=1), observers=(heard.append,)) as on:
        settled = await on.run(Ask(4))
        output = scheduled(settled)
        (again,) = on.sent(settled)

        assert (output.group, output.delay_ms, output.lane, output.item.ticket) == ("failing.main", 2000, "", 0)
        assert (again.target, again.message) == (("failing.main", "answer", "part"), Part(5))
        assert (again.envelope.attempt, again.envelope.trace_id, again.envelope.lineage) == (2, TRACE, (0,))
        assert on.result(await on.follow(output)) == Answer(5)

    started = [(event.node, event.attempt) for event in heard if isinstance(event, NodeStarted)]
    assert started == [("split", 1), ("answer", 1), ("answer", 2)]


async def test_when_a_call_first_failed_goes_with_it_and_not_with_what_it_sends() -> None:
    async with bench(failing(4, times=3)) as on:
        first = await on.run(Ask(), failed_ms=5)  # of the first node, which has failed before
        assert on.sent(first)[0].envelope.failed_ms == NOW_MS
        frame = scheduled(first).item.frames[0]
        second = await on.settle(Item((on.resealed(frame, failed_ms=7),)))
        assert on.sent(second)[0].envelope.failed_ms == 7


async def test_a_call_tried_again_keeps_its_id_so_that_what_it_sends_keeps_its_ids() -> None:
    heard: list[KernelEvent] = []
    async with bench(failing(3), observers=(heard.append,)) as on:
        first = await on.run(Ask())
        second = await on.follow(scheduled(first))

        assert on.sent(first)[0].envelope.id == on.sent(second)[0].envelope.id
        assert on.sent(second)[0].envelope.attempt == 3


@pytest.mark.parametrize(("retry", "calls"), [(3, 3), (Retry(attempts=2), 2), (1, 1), (None, 1)])
async def test_after_so_many_attempts_the_run_fails(retry: Retry | int | None, calls: int) -> None:
    heard: list[KernelEvent] = []
    async with bench(failing(retry), observers=(heard.append,)) as on:
        settled = await on.run(Ask())
        while settled.outputs:
            settled = await on.follow(scheduled(settled))

        assert failure(settled).kind is FailureKind.STEP
        assert settled.dead is not None
    failed = [event for event in heard if isinstance(event, NodeFailed)]
    assert [event.attempt for event in failed] == list(range(1, calls + 1))
    assert [event.retry_in_s is None for event in failed] == [False] * (calls - 1) + [True]


async def test_only_the_exceptions_named_are_tried_again_the_others_fail_at_once() -> None:
    async with bench(failing(Retry(on=(ConnectionError,)), ConnectionResetError)) as on:
        scheduled(await on.run(Ask()))
    async with bench(failing(Retry(on=(ConnectionError,)), ValueError)) as on:
        assert failure(await on.run(Ask())).error == "ValueError"


@given(
    backoff=st.floats(0.001, 100.0),
    longest=st.floats(0.001, 1000.0),
    jitter=st.floats(0.0, 1.0),
    attempt=st.integers(1, 100_000),
)
async def test_the_wait_doubles_up_to_its_bound_less_a_random_part(
    backoff: float, longest: float, jitter: float, attempt: int
) -> None:
    retry = Retry(attempts=attempt + 1, backoff=backoff, max_backoff=longest, jitter=jitter)
    most = min(backoff * 2.0 ** min(attempt - 1, 60), longest)
    async with bench(failing_entry(retry)) as on:
        delay_ms = scheduled(await on.run(Ask(), attempt=attempt)).delay_ms
        assert int(most * (1 - jitter) * 1000) - 1 <= delay_ms <= most * 1000


def failing_entry(retry: Retry) -> Pipe:
    pipe = Pipe("failing")

    @pipe.node(retry=retry)
    async def answer(ask: Ask) -> Answer:
        raise RuntimeError

    return pipe


async def test_a_call_that_asks_for_itself_again_is_scheduled_and_it_is_no_attempt() -> None:
    pipe = Pipe("later")

    @pipe.node
    async def answer(ask: Ask) -> Answer | Retry:
        return Retry(after=1.5)

    async with bench(pipe) as on:
        settled = await on.run(Ask(), attempt=1)
        for _ in range(5):
            output = scheduled(settled)
            assert output.delay_ms == 1500
            assert (on.sent(settled)[0].envelope.attempt, on.sent(settled)[0].envelope.failed_ms) == (1, 0)
            settled = await on.follow(output)


@pytest.mark.parametrize(("after", "delay_ms"), [(None, 0), (-1.0, 0), (float("inf"), 10 * 365 * 86_400_000)])
async def test_whatever_wait_is_asked_for_is_one_that_a_bus_can_keep(after: float | None, delay_ms: int) -> None:
    pipe = Pipe("later")

    @pipe.node
    async def answer(ask: Ask) -> Retry:
        return Retry(after=after)

    async with bench(pipe) as on:
        assert scheduled(await on.run(Ask())).delay_ms == delay_ms


async def test_of_siblings_the_one_that_failed_is_scheduled_and_the_others_go_on() -> None:
    pipe = Pipe("siblings")

    @pipe.node
    async def split(ask: Ask) -> list[Part]:
        return [Part(number) for number in range(3)]

    @pipe.node(retry=Retry(backoff=1.0, jitter=0.0))
    async def send(part: Part) -> Side:
        if part.number == 1:
            raise ConnectionError
        return Side(part.number)

    @pipe.node(group="far")
    async def end(side: Side) -> Drop:
        return Drop()

    async with bench(pipe) as on:
        settled = await on.run(Ask())

        assert on.messages(settled) == [Side(0), Part(1), Side(2)]
        assert [type(output).__name__ for output in settled.outputs] == ["Emit", "Schedule", "Emit"]


async def test_a_join_is_tried_again_with_all_its_messages() -> None:
    pipe = Pipe("joining")

    @pipe.node
    async def split(ask: Ask) -> list[Part | Side]:
        return [Part(1), Side(2)]

    @pipe.node(retry=2)
    async def join(part: Part, side: Side) -> Answer:
        raise ConnectionError

    async with bench(pipe) as on:
        joined = joined_item((await on.run(Ask())).outputs)
        output = scheduled(only(await on.runner.run(delivery_of([joined]))))
        opened = [on.framing.open(frame) for frame in output.item.frames]

        assert [(envelope.slot, envelope.attempt) for envelope in opened] == [("part", 2), ("side", 2)]
        assert [on.plan.codecs[envelope.type].decode(envelope.body) for envelope in opened] == [Part(1), Side(2)]
        assert failure(await on.follow(output)).kind is FailureKind.STEP


async def test_a_message_that_cannot_be_sent_again_fails_the_run_rather_than_the_worker() -> None:
    class Box:
        """No message type."""

    pipe = Pipe("unsendable")

    @pipe.node
    async def split(ask: Ask) -> Part:
        return Part(Box())  # type: ignore[arg-type]

    @pipe.node(retry=3)
    async def answer(part: Part) -> Answer:
        raise ConnectionError

    async with bench(pipe) as on:
        failed = failure(await on.run(Ask()))
        assert (failed.kind, failed.node) == (FailureKind.INVALID_MESSAGE, "answer")
