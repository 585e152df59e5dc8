"""Joins: slots that take the first of several messages, and slots that may stay empty."""

from msgspec import Struct
from tests.headrace.kernel.bench import TRACE, bench, failure, joined_item

from headrace.errors import FailureKind
from headrace.graph.options import First, Partial, Retry
from headrace.graph.pipe import Pipe
from headrace.ledger.values import Arrive, Item, Join, Schedule


class Ask(Struct, frozen=True):
    number: int = 0


class Part(Struct, frozen=True):
    number: int = 0


class Other(Struct, frozen=True):
    number: int = 0


class Answer(Struct, frozen=True):
    text: str = ""


def first_come() -> Pipe:
    pipe = Pipe("first")

    @pipe.node
    async def split(ask: Ask) -> list[Part | Other]:
        return [Part(1), Other(2)]

    @pipe.node
    async def take(first: First[Part | Other]) -> Answer:
        return Answer(repr(first))

    return pipe


def discounted() -> Pipe:
    pipe = Pipe("partial")

    @pipe.node
    async def split(ask: Ask) -> list[Part | Other]:
        return [Part(1), Other(2)]

    @pipe.node(barrier_timeout=0.25)
    async def take(part: Part, other: Partial[Other]) -> Answer | Retry:
        return Answer(f"{part.number} {other}") if part.number else Retry(after=1.0)

    return pipe


async def test_all_messages_for_a_first_slot_arrive_at_it_and_the_node_gets_the_one_the_bus_kept() -> None:
    async with bench(first_come()) as on:
        outputs = (await on.run(Ask())).outputs
        for output, text in zip(outputs, ("Part(number=1)", "Other(number=2)"), strict=True):
            assert isinstance(output, Arrive)
            assert (output.join, output.slot) == (Join("first.main", "take", "", ("first",)), "first")
            assert on.result(await on.follow(output)) == Answer(text)


async def test_a_partial_slot_is_optional_to_the_join_and_none_where_nothing_came() -> None:
    async with bench(discounted()) as on:
        part, other = (await on.run(Ask())).outputs
        assert isinstance(part, Arrive)
        assert part.join == Join("partial.main", "take", "", ("part", "other"), ("other",), timeout_ms=250)
        assert on.result(await on.settle(joined_item([part, other]))) == Answer("1 Other(number=2)")
        assert on.result(await on.settle(joined_item([part]))) == Answer("1 None")


async def test_a_slot_that_is_not_partial_must_have_come() -> None:
    async with bench(discounted()) as on:
        _, other = (await on.run(Ask())).outputs
        assert failure(await on.settle(joined_item([other]))).kind is FailureKind.NO_ROUTE


async def test_a_join_is_tried_again_without_what_did_not_come() -> None:
    async with bench(discounted()) as on:
        part, _ = (await on.run(Ask())).outputs
        assert isinstance(part, Arrive)
        settled = await on.settle(Item((on.resealed(part.frame, body=b"\x81\xa6number\x00"),)))
        (again,) = settled.outputs
        assert isinstance(again, Schedule)
        assert [on.framing.open(frame).slot for frame in again.item.frames] == ["part"]
        assert settled.trace_id == TRACE
        assert (await on.follow(again)).outputs == (again,)


async def test_a_join_in_a_scope_is_of_that_scope() -> None:
    async with bench(discounted()) as on:
        part, other = (await on.run(Ask(), scope="a/b")).outputs
        assert isinstance(part, Arrive)
        assert isinstance(other, Arrive)
        assert part.join.scope == other.join.scope == "a/b"
