"""Feeds: what each output, and each item when it is settled, may lead to at joins and gathers."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from msgspec import Struct
from tests.headrace.kernel.bench import Bench, bench, delivery_of, joined_item, only

from headrace.graph.options import Retry
from headrace.graph.pipe import Pipe
from headrace.graph.plan import ExecutionPlan, Reach, Slot, SlotKind
from headrace.kernel.feeds import Feeds
from headrace.ledger.values import Arrive, Emit, Enqueue, Feed, Item, Join, Open, Schedule


class Ask(Struct, frozen=True):
    number: int = 0


class Part(Struct, frozen=True):
    number: int = 0


class Other(Struct, frozen=True):
    number: int = 0


class Joined(Struct, frozen=True):
    number: int = 0


class Answer(Struct, frozen=True):
    number: int = 0


def joining(*, key: str | None = None) -> Pipe:
    """A pipe whose join is reached from everywhere before it, and whose plan says by hand what else is."""
    pipe = Pipe("joining")

    @pipe.node
    async def split(ask: Ask) -> list[Ask2 | Other] | Retry:
        return [Ask2(1), Other(2)] if ask.number == 0 else Retry(after=1.0)

    async def part(ask: Ask2) -> Part:
        return Part(ask.number)

    pipe.node(group="far", key=key)(part) if key else pipe.node(group="far")(part)

    @pipe.node
    async def join(part: Part, other: Other) -> Joined:
        return Joined(part.number + other.number)

    @pipe.node(group="far")
    async def end(joined: Joined) -> Answer:
        return Answer()

    return pipe


class Ask2(Struct, frozen=True):
    number: int = 0


def reaching(**reaches: tuple[Reach, ...]) -> Callable[[ExecutionPlan], ExecutionPlan]:
    def change(plan: ExecutionPlan) -> ExecutionPlan:
        nodes = {name: replace(node, reaches=reaches.get(name, ())) for name, node in plan.nodes.items()}
        return replace(plan, nodes=nodes)

    return change


PART, OTHER = Reach(node="join", slot="part", up=0), Reach(node="join", slot="other", up=0)
FAR = Reach(node="end", slot="joined", up=0)  # as if it were a join


def join_in(scope: str) -> Join:
    return Join("joining.main", "join", scope, ("part", "other"))


def feed(slot: str, scope: str = "") -> Feed:
    return Feed(join_in(scope), slot)


async def test_every_output_carries_what_its_target_may_lead_to_and_the_item_what_its_own_node_may() -> None:
    change = reaching(split=(PART, OTHER), part=(PART,), join=(FAR,), end=())
    async with bench(joining(), change=change) as on:
        settled = await on.run(Ask())
        far, near = settled.outputs

        assert isinstance(far, Emit)
        assert isinstance(near, Arrive)
        assert settled.feeds == (feed("part"), feed("other"))
        assert far.feeds == (feed("part"),)
        end = Feed(Join("joining.far", "end", "", ("joined",)), "joined")
        assert near.feeds == (end,)  # the join's own, once it has fired

        async with bench(joining(), "far", change=change) as there:
            part = await there.follow(far)
        assert part.feeds == (feed("part"),)
        joined = only(await on.runner.run(delivery_of([joined_item((*part.outputs, near))])))
        assert joined.feeds == (end,)
        (sent,) = joined.outputs
        assert isinstance(sent, Emit)
        assert sent.feeds == ()


async def test_the_joins_are_those_of_the_messages_scope_or_so_many_further_out() -> None:
    outer = Reach(node="join", slot="other", up=1)
    change = reaching(split=(PART, outer), part=(PART, outer))
    async with bench(joining(), change=change) as on:
        deep = await on.run(Ask(), scope="a/b")
        assert deep.feeds == (feed("part", "a/b"), feed("other", "a"))
        root = await on.run(Ask())
        assert root.feeds == (feed("part"),)  # further out than the run's own scope there is nothing
        (far, _) = root.outputs
        assert isinstance(far, Emit)
        assert far.feeds == (feed("part"),)


async def test_what_comes_back_carries_what_it_carried_before() -> None:
    async with bench(joining(), change=reaching(split=(PART, OTHER))) as on:
        settled = await on.run(Ask(1), scope="a")
        (again,) = settled.outputs
        assert isinstance(again, Schedule)
        assert settled.feeds == again.feeds == (feed("part", "a"), feed("other", "a"))


async def test_a_place_in_a_lane_carries_them_too() -> None:
    async with bench(joining(key="number"), change=reaching(part=(PART,))) as on:
        (far, _) = (await on.run(Ask())).outputs
        assert isinstance(far, Enqueue)
        assert far.feeds == (feed("part"),)


async def test_an_item_that_fails_or_is_refused_says_what_it_might_have_led_to() -> None:
    async with bench(joining(), change=reaching(split=(PART,))) as on:
        wrong: tuple[dict[str, Any], ...] = ({"body": b"\xc1"}, {"deadline_ms": 1})
        for headers in wrong:
            frame = on.resealed(on.deliver(Ask()).entry.items[0].frames[0], **headers)
            settled = await on.settle(Item((frame,)))
            assert settled.terminal is not None
            assert settled.feeds == (feed("part"),)
        assert only(on.runner.give_up(on.deliver(Ask()))).feeds == (feed("part"),)


def gathering(plan: ExecutionPlan) -> ExecutionPlan:
    """Make the second node a gather of what the first one sends, by hand."""
    nodes = dict(plan.nodes)
    up = Reach(node="end", slot="joined", up=1)
    nodes["split"] = replace(nodes["split"], opens=("part",), reaches=(replace(up, up=0),))
    slots = (Slot(name="ask", type_name="Ask2", kind=SlotKind.GATHER),)
    nodes["part"] = replace(nodes["part"], slots=slots, reaches=(replace(up, up=0),))
    return replace(plan, nodes=nodes)


async def test_a_gather_reaches_from_the_scope_around_what_it_gathers() -> None:
    async with bench(joining(), change=gathering) as on:
        settled = await on.run(Ask(), scope="a")
        opened, arrival, _ = settled.outputs
        assert isinstance(opened, Open)
        assert isinstance(arrival, Arrive)
        assert opened.join == arrival.join
        end = (Feed(Join("joining.far", "end", "a", ("joined",)), "joined"),)
        assert opened.feeds == arrival.feeds == settled.feeds == end
        async with bench(joining(), "far", change=gathering) as there:
            gathered = await there.settle(there.gathered(settled.outputs[:1]))
        assert gathered.feeds == end


def test_a_gather_is_not_reached_in_the_runs_own_scope() -> None:
    plan = gathering(joining().compile())
    inner = Reach(node="part", slot="ask", up=1)
    plan = replace(plan, nodes={**plan.nodes, "split": replace(plan.nodes["split"], reaches=(inner,))})
    feeds, split = Feeds(plan), plan.nodes["split"]
    assert feeds.of(split, "a") == ()
    assert [each.join.scope for each in feeds.of(split, "a/b")] == ["a"]


async def test_without_joins_nothing_is_carried() -> None:
    async def check(on: Bench) -> None:
        settled = await on.run(Ask())
        assert settled.feeds == ()
        assert all(output.feeds == () for output in settled.outputs)

    async with bench(joining(), change=reaching()) as on:
        await check(on)
