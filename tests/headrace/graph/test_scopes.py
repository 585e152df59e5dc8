"""Scopes: which fan-outs open them, and which joins a message may lead to; also against a walk that keeps the stack."""

# The nodes here are read, never called, so their bodies are empty.
# mypy: disable-error-code="empty-body"

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from headrace.graph.options import Gather, Partial, To
from headrace.graph.pipe import Pipe
from headrace.graph.plan import ExecutionPlan, Reach, Route
from headrace.graph.scopes import Flow, Opens, opens_of, reaches_of

NEW = "opened on the way"


class Cart(Struct):
    n: int


class Box(Struct):
    n: int


class Item(Struct):
    n: int


class Priced(Struct):
    n: int


class Packed(Struct):
    n: int


class Offer(Struct):
    n: int


class Asked(Struct):
    n: int


def opens(plan: ExecutionPlan) -> dict[str, tuple[str, ...]]:
    return {name: node.opens for name, node in plan.nodes.items() if node.opens}


def reaches_in(plan: ExecutionPlan, node: str) -> list[str]:
    return [f"{reach.node}.{reach.slot}+{reach.up}" for reach in plan.nodes[node].reaches]


def test_a_pipe_without_joins_reaches_and_opens_nothing() -> None:
    pipe = Pipe("plain")

    @pipe.node
    def split(cart: Cart) -> list[Item]: ...

    @pipe.node(max_visits=3)
    def price(item: Item) -> Item | Priced | To: ...

    plan = pipe.compile()

    assert [(node.opens, node.reaches) for node in plan.nodes.values()] == [((), ()), ((), ())]


def test_a_join_is_reached_in_the_messages_own_scope() -> None:
    pipe = Pipe("join")

    @pipe.node
    def ask(cart: Cart) -> Asked: ...

    @pipe.node
    def price(cart: Cart) -> Priced: ...

    @pipe.node
    def offer(asked: Asked, priced: Partial[Priced]) -> Offer: ...

    @pipe.node
    def send(offer: Offer) -> None: ...

    plan = pipe.compile()

    assert {name: reaches_in(plan, name) for name in plan.nodes} == {
        "ask": ["offer.asked+0"],
        "price": ["offer.priced+0"],
        "offer": [],
        "send": [],
    }


def nested() -> ExecutionPlan:
    pipe = Pipe("nested")

    @pipe.node
    def unpack(cart: Cart) -> list[Box]: ...

    @pipe.node
    def open_box(box: Box) -> Iterator[Item]: ...

    @pipe.node
    def price(item: Item) -> Priced: ...

    @pipe.node
    def pack(priced: Gather[Priced]) -> Packed: ...

    @pipe.node
    def total(packed: Gather[Packed]) -> Offer: ...

    @pipe.node
    def join(offer: Offer, cart: Cart) -> None: ...

    return pipe.compile()


def test_each_gather_leaves_a_scope_and_each_fan_out_opens_one() -> None:
    plan = nested()

    assert opens(plan) == {"unpack": ("total",), "open_box": ("pack",)}
    assert {name: reaches_in(plan, name) for name in plan.nodes} == {
        "unpack": ["join.offer+0"],
        "open_box": ["total.packed+0", "join.offer+1"],
        "price": ["pack.priced+0", "total.packed+1", "join.offer+2"],
        "pack": ["total.packed+0", "join.offer+1"],
        "total": ["join.offer+0"],
        "join": [],
    }


def test_a_fan_out_may_open_for_several_gathers_and_a_gather_may_have_several_openers() -> None:
    pipe = Pipe("many")

    @pipe.node
    def boxes(cart: Cart) -> list[Item | Asked]: ...

    @pipe.node
    def items(cart: Cart) -> list[Item]: ...

    @pipe.node
    def all_items(item: Gather[Item]) -> Offer: ...

    @pipe.node
    def all_asked(asked: Gather[Asked]) -> Packed: ...

    assert opens(pipe.compile()) == {"boxes": ("all_items", "all_asked"), "items": ("all_items",)}


def test_a_fan_out_of_which_nothing_is_gathered_opens_nothing() -> None:
    pipe = Pipe("outer")

    @pipe.node
    def unpack(cart: Cart) -> list[Box]: ...

    @pipe.node
    def open_box(box: Box) -> list[Item]: ...

    @pipe.node
    def pack(item: Gather[Item]) -> Packed: ...

    plan = pipe.compile()

    assert opens(plan) == {"open_box": ("pack",)}
    assert reaches_in(plan, "unpack") == []


def test_a_gather_may_fan_out_again() -> None:
    pipe = Pipe("again")

    @pipe.node
    def split(cart: Cart) -> list[Item]: ...

    @pipe.node
    def regroup(item: Gather[Item]) -> list[Box]: ...

    @pipe.node
    def total(box: Gather[Box]) -> Offer: ...

    plan = pipe.compile()

    assert opens(plan) == {"split": ("regroup",), "regroup": ("total",)}
    assert reaches_in(plan, "split") == []


def test_a_node_that_sends_anywhere_has_an_edge_to_every_slot() -> None:
    pipe = Pipe("anywhere", entry=Cart)

    @pipe.node
    def split(cart: Cart) -> list[Item]: ...

    @pipe.node
    def route(item: Item) -> To: ...

    @pipe.node
    def total(priced: Gather[Priced]) -> None: ...

    plan = pipe.compile()

    assert opens(plan) == {"split": ("total",)}
    assert reaches_in(plan, "route") == ["total.priced+0"]


def test_a_loop_through_a_new_fan_out_does_not_lead_back_into_a_scope() -> None:
    """Else a join there would wait for the gather that waits for it."""
    pipe = Pipe("loop", entry=Cart)

    @pipe.node(max_visits=5)
    def split(cart: Cart) -> list[Item | Box]: ...

    @pipe.node
    def start(item: Item) -> Asked: ...

    @pipe.node
    def join(asked: Asked, box: Partial[Box]) -> Packed: ...

    @pipe.node
    def total(packed: Gather[Packed]) -> Cart | Offer: ...

    plan = pipe.compile()

    assert reaches_in(plan, "start") == ["join.asked+0", "total.packed+0"]
    assert reaches_in(plan, "join") == ["total.packed+0"]


def test_a_join_in_a_loop_does_not_wait_for_itself_but_others_feed_it() -> None:
    pipe = Pipe("loop", entry=Cart)

    @pipe.node(max_visits=2)
    def join(cart: Cart, box: Partial[Box]) -> Item: ...

    @pipe.node
    def again(item: Item) -> Box | Offer: ...

    plan = pipe.compile()

    assert reaches_in(plan, "join") == []
    assert reaches_in(plan, "again") == ["join.box+0"]


@st.composite
def flows(draw: st.DrawFn) -> Flow:
    count = draw(st.integers(2, 5))
    names = [f"n{number}" for number in range(count)]
    kinds = {name: draw(st.sampled_from(["gather", "join", "plain"])) for name in names}
    every = [Route(node=name, slot=slot) for name in names for slot in ("xy" if kinds[name] == "join" else "x")]
    return Flow(
        edges={
            name: tuple(draw(st.lists(st.sampled_from(every), unique=True, min_size=1, max_size=3))) for name in names
        },
        series=frozenset(draw(st.sets(st.sampled_from(names)))),
        joins=frozenset(name for name in names if kinds[name] != "plain"),
        gathers=frozenset(name for name in names if kinds[name] == "gather"),
    )


@given(flow=flows())
def test_the_openers_of_a_gather_are_the_first_fan_outs_on_the_ways_back_from_it(flow: Flow) -> None:
    expected: dict[str, set[str]] = {}
    for gather in flow.gathers:
        for opener in openers_by_walking_back(flow, gather):
            expected.setdefault(opener, set()).add(gather)

    assert {name: set(gathers) for name, gathers in opens_of(flow).items()} == expected


@given(flow=flows())
def test_what_is_reached_is_what_a_walk_that_keeps_the_stack_of_scopes_comes_to(flow: Flow) -> None:
    opened = opens_of(flow)
    reaches = reaches_of(flow, opened)

    for name in flow.edges:
        assert len(set(reaches[name])) == len(reaches[name])
        assert set(reaches[name]) == reaches_by_walking(flow, opened, name)


def openers_by_walking_back(flow: Flow, gather: str) -> set[str]:
    """Walk back with the number of scopes that are still to be opened; each node is met with each number once."""
    openers: set[str] = set()
    seen = {(gather, 1)}
    ahead = [(gather, 1)]
    while ahead:
        target, level = ahead.pop()
        for sender in (name for name, routes in flow.edges.items() if target in {route.node for route in routes}):
            before = level - 1 if sender in flow.series else level
            if before == 0:
                openers.add(sender)
                continue
            met = (sender, before + 1 if sender in flow.gathers else before)
            if met not in seen and met[1] <= bound(flow):
                seen.add(met)
                ahead.append(met)
    return openers


def reaches_by_walking(flow: Flow, opened: Opens, start: str) -> set[Reach]:
    """Walk ahead with the stack of scopes, outermost first: those of the start are numbers, the ups, its own is 0."""
    found: set[Reach] = set()
    own: tuple[int | str, ...] = tuple(range(len(opened), -1, -1))
    seen = {(start, own)}
    ahead = [(start, own)]
    while ahead:
        name, scopes = ahead.pop()
        inside = (*scopes, NEW) if name in opened else scopes
        for route in flow.edges[name]:
            here = inside[-1]
            is_itself = here == 0 and route.node == start and start not in flow.gathers
            if route.node in flow.joins and isinstance(here, int) and not is_itself:
                found.add(Reach(node=route.node, slot=route.slot, up=here))
            called = (route.node, inside[:-1] if route.node in flow.gathers else inside)
            if called[1] and called not in seen and called[1].count(NEW) <= bound(flow):
                seen.add(called)
                ahead.append(called)
    return found


def bound(flow: Flow) -> int:
    return len(flow.edges) ** 2 + 1  # a way that needs more scopes at a time has a shorter one
