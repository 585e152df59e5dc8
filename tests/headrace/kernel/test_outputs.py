"""Where the outputs of a node go."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from msgspec import Struct
from tests.headrace.kernel.bench import TRACE, bench, failure

from headrace.errors import FailureKind, FailureSource
from headrace.graph.options import Drop, To
from headrace.graph.pipe import Pipe
from headrace.kernel.events import KernelEvent, TerminalDropped
from headrace.ledger.values import Arrive, Emit, Enqueue
from headrace.wire.envelope import Framing


class Ask(Struct, frozen=True):
    number: int = 0


class Part(Struct, frozen=True):
    number: int = 0


class Fine(Part, frozen=True):
    pass


class Other(Struct, frozen=True):
    number: int = 0


class Answer(Struct, frozen=True):
    number: int = 0


def two_steps() -> Pipe:
    pipe = Pipe("steps")

    @pipe.node
    async def split(ask: Ask) -> Part:
        return Part(ask.number + 1)

    @pipe.node
    async def answer(part: Part) -> Answer:
        return Answer(part.number * 10)

    return pipe


def fan_out() -> Pipe:
    pipe = Pipe("fan")

    @pipe.node
    async def split(ask: Ask) -> list[Part]:
        return [Part(number) for number in range(ask.number)]

    @pipe.node(group="far")
    async def answer(part: Part) -> Answer:
        return Answer(part.number)

    return pipe


async def test_an_edge_inside_the_group_is_followed_at_once_and_gives_the_bus_nothing() -> None:
    async with bench(two_steps()) as on:
        settled = await on.run(Ask(4))

        assert on.result(settled) == Answer(50)
        assert settled.outputs == ()
        assert (settled.trace_id, settled.dead) == (TRACE, None)


async def test_an_edge_to_another_group_becomes_an_entry_of_that_groups_stream() -> None:
    async with bench(two_steps(), placement={"answer": "far"}) as on:
        settled = await on.run(Ask(4), deadline_ms=2**60, traceparent="00-1-2-03")
        (sent,) = on.sent(settled)

        assert settled.terminal is None
        assert (sent.kind, sent.target, sent.message) == (Emit, ("steps.far", "answer", "part"), Part(5))
        assert (sent.envelope.trace_id, sent.envelope.pipe, sent.envelope.plan) == (TRACE, "steps", on.plan.version)
        assert (sent.envelope.deadline_ms, sent.envelope.traceparent) == (2**60, "00-1-2-03")
        assert (sent.envelope.attempt, sent.envelope.lineage) == (1, (0,))


async def test_a_hop_that_is_repeated_repeats_its_outputs_to_the_byte() -> None:
    async with bench(fan_out()) as on:
        first, again = await on.run(Ask(3)), await on.run(Ask(3))

        assert first == again
        assert len({sent.envelope.id for sent in on.sent(first)}) == 3
        assert [sent.envelope.lineage for sent in on.sent(first)] == [(0,), (1,), (2,)]


async def test_a_returned_list_sends_each_in_order_and_an_empty_one_nothing() -> None:
    async with bench(fan_out()) as on:
        assert on.messages(await on.run(Ask(3))) == [Part(0), Part(1), Part(2)]

        nothing = await on.run(Ask(0))
        assert (nothing.outputs, nothing.terminal) == ((), None)


async def test_what_a_generator_yields_is_sent_in_order_whatever_its_colour() -> None:
    plain, coloured = Pipe("plain"), Pipe("coloured")

    @plain.node
    def split(ask: Ask) -> Iterator[Part]:
        yield Part(1)
        yield Part(2)

    @coloured.node(name="split")
    async def split_async(ask: Ask) -> AsyncIterator[Part]:
        yield Part(1)
        yield Part(2)

    for pipe in (plain, coloured):

        @pipe.node(group="far")
        async def answer(part: Part) -> Answer:
            return Answer()

        async with bench(pipe) as on:
            assert on.messages(await on.run(Ask())) == [Part(1), Part(2)]


async def test_an_asynchronous_iterator_that_a_coroutine_gives_is_iterated() -> None:
    pipe = Pipe("handed-on")

    async def numbers() -> AsyncIterator[Answer]:
        yield Answer(7)

    @pipe.node
    async def split(ask: Ask) -> AsyncIterator[Answer]:
        return numbers()

    async with bench(pipe) as on:
        assert on.result(await on.run(Ask())) == Answer(7)


async def test_none_and_drop_end_a_branch_alone_and_among_others() -> None:
    pipe = Pipe("dropping")

    @pipe.node
    async def split(ask: Ask) -> list[Part | Drop | None] | Drop | None:
        match ask.number:
            case 0:
                return None
            case 1:
                return Drop()
            case _:
                return [None, Part(2), Drop(), Part(4)]

    @pipe.node(group="far")
    async def answer(part: Part) -> Answer:
        return Answer()

    async with bench(pipe) as on:
        for number in (0, 1):
            settled = await on.run(Ask(number))
            assert (settled.outputs, settled.terminal, settled.dead) == ((), None, None)
        settled = await on.run(Ask(2))
        assert [(sent.message, sent.envelope.lineage) for sent in on.sent(settled)] == [
            (Part(2), (1,)),
            (Part(4), (3,)),
        ]


async def test_a_union_return_is_a_switch() -> None:
    pipe = Pipe("switch")

    @pipe.node
    async def decide(ask: Ask) -> Part | Other:
        return Part(ask.number) if ask.number else Other(9)

    @pipe.node
    async def part(part: Part) -> Answer:
        return Answer(part.number)

    @pipe.node(group="far")
    async def other(other: Other) -> Answer:
        return Answer(other.number)

    async with bench(pipe) as on:
        assert on.result(await on.run(Ask(3))) == Answer(3)

        settled = await on.run(Ask(0))
        assert [sent.target for sent in on.sent(settled)] == [("switch.far", "other", "other")]


async def test_to_sends_to_the_named_node_alone_near_and_far() -> None:
    pipe = Pipe("named")

    @pipe.node
    async def decide(ask: Ask) -> To | Part:
        return To("second" if ask.number else "first", Part(ask.number))

    @pipe.node
    async def first(part: Part) -> Answer:
        return Answer(1)

    @pipe.node(group="far")
    async def second(part: Part) -> Answer:
        return Answer(2)

    async with bench(pipe) as on:
        assert on.result(await on.run(Ask(0))) == Answer(1)

        settled = await on.run(Ask(1))
        assert [sent.target for sent in on.sent(settled)] == [("named.far", "second", "part")]
        assert settled.terminal is None


@pytest.mark.parametrize("target", [To("nobody", Part()), To("answer", Other()), To("answer", object())])
async def test_to_a_node_that_is_not_there_or_does_not_take_it_is_no_route(target: To) -> None:
    pipe = Pipe("named")

    @pipe.node
    async def decide(ask: Ask) -> To | Part:
        return target

    @pipe.node
    async def answer(part: Part) -> Answer:
        return Answer()

    async with bench(pipe) as on:
        failed = failure(await on.run(Ask()))

        assert (failed.kind, failed.source) == (FailureKind.NO_ROUTE, FailureSource.USER_CODE)
        assert (failed.node, failed.group) == ("decide", "main")


async def test_an_output_that_was_not_declared_is_no_route() -> None:
    pipe = Pipe("undeclared")

    @pipe.node
    async def decide(ask: Ask) -> Answer:
        return Other()  # type: ignore[return-value]

    async with bench(pipe) as on:
        assert failure(await on.run(Ask())).kind is FailureKind.NO_ROUTE


async def test_a_subclass_goes_where_its_base_goes_and_to_its_own_consumers() -> None:
    pipe = Pipe("classes")

    @pipe.node
    async def split(ask: Ask) -> Part:
        return Fine(1) if ask.number else Part(1)

    @pipe.node(group="far")
    async def part(part: Part) -> Answer:
        return Answer()

    @pipe.node(group="far")
    async def fine(fine: Fine) -> Answer:
        return Answer()

    async with bench(pipe) as on:
        assert [sent.envelope.node for sent in on.sent(await on.run(Ask(0)))] == ["part"]
        fine_sent = on.sent(await on.run(Ask(1)))
        assert [sent.envelope.node for sent in fine_sent] == ["part", "fine"]
        assert [sent.message for sent in fine_sent] == [Fine(1), Fine(1)]
    async with bench(pipe, "far") as there:
        assert [there.result(await there.follow(output)) for output in (await on.run(Ask(1))).outputs] == [Answer()] * 2


async def test_every_consumer_of_a_type_gets_it_with_an_id_of_its_own() -> None:
    pipe = two_steps()

    @pipe.node(group="far")
    async def second(part: Part) -> None:
        return None

    @pipe.node(group="far")
    async def third(part: Part) -> None:
        return None

    async with bench(pipe) as on:
        settled = await on.run(Ask(4))

        assert on.result(settled) == Answer(50)
        assert [sent.target for sent in on.sent(settled)] == [
            ("steps.far", "second", "part"),
            ("steps.far", "third", "part"),
        ]
        assert len({sent.envelope.id for sent in on.sent(settled)}) == 2


async def test_every_consumer_of_the_entry_type_gets_the_entry_message() -> None:
    pipe = Pipe("entries")

    @pipe.node
    async def first(ask: Ask) -> Answer:
        return Answer(1)

    @pipe.node
    async def second(ask: Ask) -> Answer:
        return Answer(2)

    async with bench(pipe) as on:
        commit = await on.runner.run(on.deliver(Ask()))
        assert [on.result(settled) for settled in commit.settled] == [Answer(1), Answer(2)]


async def test_a_message_for_a_join_becomes_an_arrival_at_its_slot_even_inside_the_group() -> None:
    pipe = Pipe("joining")

    @pipe.node
    async def split(ask: Ask) -> list[Part | Other]:
        return [Part(1), Other(2)]

    @pipe.node
    async def join(part: Part, other: Other) -> Answer:
        return Answer(part.number + other.number)

    async with bench(pipe) as on:
        settled = await on.run(Ask())
        first, second = settled.outputs

        assert isinstance(first, Arrive)
        assert isinstance(second, Arrive)
        assert [(one.group, one.node, one.slot, one.slots) for one in (first, second)] == [
            ("joining.main", "join", "part", ("part", "other")),
            ("joining.main", "join", "other", ("part", "other")),
        ]


async def test_a_message_for_a_keyed_node_takes_a_place_in_the_lane_of_its_key() -> None:
    pipe = Pipe("keys")

    @pipe.node
    async def split(ask: Ask) -> Part:
        return Part(ask.number)

    @pipe.node(key="number")
    async def answer(part: Part) -> Answer:
        return Answer(part.number)

    async with bench(pipe) as on:
        (output,) = (await on.run(Ask(7))).outputs

        assert isinstance(output, Enqueue)
        assert (output.group, output.lane, output.by_ingress) == ("keys.main", "keys.answer.7", False)


async def test_a_loop_that_goes_round_more_often_than_its_bound_fails_the_run() -> None:
    pipe = Pipe("loop")
    seen: list[int] = []

    @pipe.node
    async def start(ask: Ask) -> Part:
        return Part(ask.number)

    @pipe.node(max_visits=3)
    async def round_(part: Part) -> Part | Answer:
        seen.append(part.number)
        return Part(part.number - 1) if part.number else Answer(len(seen))

    async with bench(pipe) as on:
        assert on.result(await on.run(Ask(2))) == Answer(3)
        assert seen == [2, 1, 0]
        seen.clear()
        failed = failure(await on.run(Ask(3)))
        assert (failed.kind, failed.node, failed.error) == (FailureKind.STEP, "round_", "TooManyVisitsError")
        assert seen == [3, 2, 1]


async def test_the_first_terminal_output_of_a_hop_stands_and_observers_are_told_of_the_others() -> None:
    pipe = Pipe("twice")

    @pipe.node
    async def split(ask: Ask) -> list[Answer | Part]:
        return [Part(0), Answer(1), Answer(2)]

    @pipe.node
    async def late(part: Part) -> Answer:
        return Answer(3)

    heard: list[KernelEvent] = []
    async with bench(pipe, observers=(heard.append,)) as on:
        settled = await on.run(Ask())

        assert on.result(settled) == Answer(1)
        assert settled.outputs == ()
        assert [event.node for event in heard if isinstance(event, TerminalDropped)] == ["split", "late"]


async def test_of_siblings_terminal_outputs_the_first_emitted_stands_and_the_others_are_told() -> None:
    pipe = Pipe("siblings")

    @pipe.node
    async def split(ask: Ask) -> list[Part]:
        return [Part(number) for number in range(3)]

    @pipe.node
    async def answer(part: Part) -> Answer:
        return Answer(part.number)

    heard: list[KernelEvent] = []
    async with bench(pipe, observers=(heard.append,)) as on:
        assert on.result(await on.run(Ask())) == Answer(0)
        assert [type(event) for event in heard].count(TerminalDropped) == 2


async def test_the_output_of_a_terminal_node_is_the_result_whoever_takes_its_type() -> None:
    pipe = Pipe("ended")

    @pipe.node
    async def split(ask: Ask) -> Part | Other:
        return Other(1)

    @pipe.node(terminal=True)
    async def end(other: Other) -> Part:
        return Part(5)

    @pipe.node
    async def part(part: Part) -> Answer:
        return Answer()

    async with bench(pipe) as on:
        assert on.result(await on.run(Ask())) == Part(5)


async def test_an_output_over_the_limit_fails_its_run() -> None:
    class Large(Struct):
        text: str

    pipe = Pipe("large")

    @pipe.node
    async def split(ask: Ask) -> Large:
        return Large("x" * 4096)

    @pipe.node(group="far")
    async def answer(large: Large) -> Answer:
        return Answer()

    async with bench(pipe, framing=Framing(max_frame_bytes=2048)) as on:
        settled = await on.run(Ask())
        assert (failure(settled).node, failure(settled).error) == ("split", "EnvelopeTooLargeError")
        assert settled.dead is not None


async def test_an_output_that_cannot_be_encoded_is_an_invalid_message() -> None:
    class Anything(Struct):
        value: Any = None

    pipe = Pipe("odd")

    @pipe.node
    async def split(ask: Ask) -> Anything:
        return Anything(object())

    @pipe.node(group="far")
    async def answer(anything: Anything) -> Answer:
        return Answer()

    async with bench(pipe) as on:
        failed = failure(await on.run(Ask()))
        assert (failed.kind, failed.node) == (FailureKind.INVALID_MESSAGE, "split")
