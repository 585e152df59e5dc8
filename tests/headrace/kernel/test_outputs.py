"""Outputs of a node: in the group or over the bus, single or in a series, and the same again when a hop is repeated."""

from collections.abc import AsyncIterator, Iterator

from tests.headrace.kernel.bench import TRACE, bench
from tests.headrace.kernel.messages import Answer, Ask, Part

from headrace.graph.options import Drop
from headrace.graph.pipe import Pipe
from headrace.ledger.values import Emit


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
