"""Which nodes an output goes to."""

import pytest
from tests.headrace.kernel.bench import bench, failure
from tests.headrace.kernel.messages import Answer, Ask, Fine, Other, Part

from headrace.errors import FailureKind, FailureSource
from headrace.graph.options import To
from headrace.graph.pipe import Pipe
from headrace.ledger.values import Arrive, Enqueue, Join


def two_steps() -> Pipe:
    pipe = Pipe("steps")

    @pipe.node
    async def split(ask: Ask) -> Part:
        return Part(ask.number + 1)

    @pipe.node
    async def answer(part: Part) -> Answer:
        return Answer(part.number * 10)

    return pipe


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
        assert first.join == second.join == Join("joining.main", "join", "", ("part", "other"))
        assert (first.slot, second.slot) == ("part", "other")


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
