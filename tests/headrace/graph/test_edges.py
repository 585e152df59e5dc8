"""Where a placed plan has its groups write: successors, joins that they may complete, alarms, lanes that they free."""

import pytest
from examples.fund_load.pipe import pipe as fund_load
from examples.orders.pipe import pipe as orders
from msgspec import Struct

from headrace import Drop, Gather, Partial, Pipe, To
from headrace.graph.edges import Edges, edges_of, ingress_edges


class Ask(Struct):
    id: str


class Part(Struct):
    id: str


class Whole(Struct):
    id: str


class Other(Struct):
    id: str


class End(Struct):
    id: str


def test_a_group_appends_to_itself_and_its_successors() -> None:
    plan = fund_load.compile()
    assert edges_of(plan, "intake") == Edges(
        appends=("intake", "decisions"), lanes=("decide",), alarms=(), may_end_any=True
    )
    assert edges_of(plan, "decisions") == Edges(
        appends=("decisions", "answers"), lanes=("decide",), alarms=(), may_end_any=True
    )


def test_a_group_behind_a_keyed_node_has_nothing_to_do_with_its_lanes() -> None:
    assert edges_of(fund_load.compile(), "answers") == Edges(
        appends=("answers",), lanes=(), alarms=(), may_end_any=False
    )


def test_a_group_beside_a_keyed_node_gives_its_tickets_back() -> None:
    pipe = Pipe("beside")

    @pipe.node(group="first")
    async def take(ask: Ask) -> Part:
        return Part(ask.id)

    @pipe.node(group="keyed", key="id", order="ingress")
    async def keep(part: Part) -> End:
        return End(part.id)

    @pipe.node(group="beside")
    async def look(ask: Ask) -> Drop:
        return Drop()

    assert edges_of(pipe.compile(), "beside") == Edges(
        appends=("keyed", "beside"), lanes=("keep",), alarms=(), may_end_any=True
    )


def test_a_group_behind_a_gather_gives_tickets_back_since_a_gather_of_nothing_passes_the_keyed_node_by() -> None:
    pipe = Pipe("passed_by")

    @pipe.node(group="first")
    async def split(ask: Ask) -> list[Part]:
        return []

    @pipe.node(group="keyed", key="id", order="ingress")
    async def keep(part: Part) -> Other:
        return Other(part.id)

    @pipe.node(group="keyed")
    async def collect(others: Gather[Other]) -> Whole:
        return Whole(str(len(others)))

    @pipe.node(group="behind")
    async def finish(whole: Whole) -> End:
        return End(whole.id)

    assert edges_of(pipe.compile(), "behind") == Edges(
        appends=("keyed", "behind"), lanes=("keep",), alarms=(), may_end_any=True
    )


def test_a_group_appends_to_joins_that_it_completes_by_ending_a_branch() -> None:
    plan = orders.compile()
    assert edges_of(plan, "risk").appends == ("intake", "risk")
    assert edges_of(plan, "prices").appends == ("intake", "prices")
    assert edges_of(plan, "intake").appends == ("intake", "prices")


def test_ingress_appends_where_messages_and_signals_enter_and_where_cancels_free_lanes() -> None:
    assert ingress_edges(orders.compile()).appends == ("intake", "risk")
    assert ingress_edges(fund_load.compile()) == Edges(
        appends=("intake", "decisions"), lanes=("decide",), alarms=(), may_end_any=True
    )


def test_a_node_that_sends_anywhere_has_edges_to_every_group() -> None:
    pipe = Pipe("anywhere", entry=Ask)

    @pipe.node(group="first")
    async def send(ask: Ask) -> To:
        return To("keep", Part(ask.id))

    @pipe.node(group="second")
    async def keep(part: Part) -> Whole:
        return Whole(part.id)

    @pipe.node(group="third")
    async def finish(whole: Whole) -> End:
        return End(whole.id)

    assert edges_of(pipe.compile(), "first").appends == ("first", "second", "third")
    assert edges_of(pipe.compile(), "second").appends == ("second", "third")


def test_who_begins_a_wait_sets_its_alarm() -> None:
    pipe = Pipe("alarms")

    @pipe.node(group="first")
    async def split(ask: Ask) -> list[Part]:
        return [Part(ask.id)]

    @pipe.node(group="second")
    async def check(part: Part) -> Other:
        return Other(part.id)

    @pipe.node(group="third", barrier_timeout=5)
    async def gather(parts: Gather[Other]) -> End:
        return End(parts[0].id)

    plan = pipe.compile()
    assert {group: edges_of(plan, group).alarms for group in plan.groups} == {
        "first": ("third",),  # which opens the scope
        "second": ("third",),
        "third": (),
    }
    assert edges_of(plan, "first").appends == ("first", "second", "third")


@pytest.mark.parametrize("pipe", [fund_load, orders], ids=lambda pipe: pipe.name)
def test_some_group_may_end_any_run_of_its_pipe(pipe: Pipe) -> None:
    plan = pipe.compile()
    assert any(edges_of(plan, group).may_end_any for group in plan.groups)


def test_a_group_appends_to_a_join_behind_another_group_since_ending_its_branch_may_complete_it() -> None:
    pipe = Pipe("behind")

    @pipe.node(group="first")
    async def start(ask: Ask) -> Part | Drop:
        return Drop()

    @pipe.node(group="second")
    async def between(part: Part) -> Other:
        return Other(part.id)

    @pipe.node(group="third")
    async def beside(ask: Ask) -> Whole:
        return Whole(ask.id)

    @pipe.node(group="fourth")
    async def meet(whole: Whole, other: Partial[Other]) -> End:
        return End(whole.id)

    assert edges_of(pipe.compile(), "first").appends == ("first", "second", "fourth")
