"""Routing by type: plain, to bases, from subclasses, unions, series, joins, explicit targets and `To`."""

# The nodes here are read, never called, so their bodies are empty.
# mypy: disable-error-code="empty-body"

from collections.abc import AsyncIterator, Iterator

from msgspec import Struct
from tests.headrace.graph.compiled import routes_of

from headrace.graph.options import Drop, Retry, To
from headrace.graph.pipe import Pipe
from headrace.graph.plan import Route


class Order(Struct):
    number: int


class Priced(Struct):
    number: int


class Shipped(Struct):
    number: int


class Event(Struct):
    at: int


class Opened(Event):
    by: str


class Closed(Event):
    by: str


def test_an_output_goes_to_every_node_that_takes_its_type() -> None:
    pipe = Pipe("orders")

    @pipe.node
    async def price(order: Order) -> Priced:
        return Priced(order.number)

    @pipe.node
    def ship(priced: Priced) -> Shipped:
        return Shipped(priced.number)

    @pipe.node
    def audit(seen: Priced) -> None: ...

    plan = pipe.compile()

    assert routes_of(plan, "price") == {"Priced": ["ship.priced", "audit.seen"]}
    assert routes_of(plan, "ship") == {"Shipped": []}
    assert routes_of(plan, "audit") == {}
    assert plan.entry_type == "Order"
    assert plan.entry == (Route(node="price", slot="order"),)
    assert plan.terminal_types == ("Shipped",)
    assert plan.parents == {"price": (), "ship": ("price",), "audit": ("price",)}
    assert plan.groups == {"main": ("price", "ship", "audit")}
    assert set(plan.codecs) == {"Order", "Priced", "Shipped"}
    assert [node.is_async for node in plan.nodes.values()] == [True, False, False]


def test_an_output_goes_to_nodes_that_take_a_base_of_its_class() -> None:
    pipe = Pipe("events")

    @pipe.node
    def start(order: Order) -> Opened | Closed: ...

    @pipe.node
    def on_open(event: Opened) -> None: ...

    @pipe.node
    def on_any(event: Event) -> None: ...

    plan = pipe.compile()

    assert routes_of(plan, "start") == {"Opened": ["on_open.event", "on_any.event"], "Closed": ["on_any.event"]}
    assert plan.consumers["Opened"] == (Route(node="on_open", slot="event"), Route(node="on_any", slot="event"))
    assert plan.consumers["Event"] == (Route(node="on_any", slot="event"),)


def test_a_subclass_of_the_declared_output_is_routed_as_itself() -> None:
    pipe = Pipe("events")

    @pipe.node
    def start(order: Order) -> Event: ...

    @pipe.node
    def on_any(event: Event) -> None: ...

    @pipe.node
    def on_open(event: Opened) -> None: ...

    plan = pipe.compile(None)

    assert routes_of(plan, "start") == {"Event": ["on_any.event"], "Opened": ["on_any.event", "on_open.event"]}
    assert plan.nodes["start"].outputs == ("Event",)


def test_control_words_and_none_in_a_union_are_no_outputs() -> None:
    pipe = Pipe("switch")

    @pipe.node
    def decide(order: Order) -> Priced | Shipped | Drop | Retry | None: ...

    @pipe.node
    def ship(priced: Priced) -> Shipped: ...

    plan = pipe.compile()

    assert plan.nodes["decide"].outputs == ("Priced", "Shipped")
    assert not plan.nodes["decide"].sends_anywhere
    assert routes_of(plan, "decide") == {"Priced": ["ship.priced"], "Shipped": []}


def test_an_explicit_target_wins_over_other_consumers() -> None:
    pipe = Pipe("orders")

    @pipe.node(to="ship")
    def price(order: Order) -> Priced: ...

    @pipe.node
    def ship(priced: Priced) -> None: ...

    @pipe.node
    def correct(order: Order) -> Priced: ...

    @pipe.node
    def audit(priced: Priced) -> None: ...

    plan = pipe.compile()

    assert routes_of(plan, "price") == {"Priced": ["ship.priced"]}
    assert routes_of(plan, "correct") == {"Priced": ["ship.priced", "audit.priced"]}
    assert plan.nodes["price"].to == "ship"


def test_a_terminal_node_ends_the_run_whatever_takes_its_type() -> None:
    pipe = Pipe("orders")

    @pipe.node(terminal=True)
    def refuse(order: Order) -> Priced: ...

    @pipe.node
    def price(order: Order) -> Priced: ...

    @pipe.node
    def audit(priced: Priced) -> None: ...

    plan = pipe.compile()

    assert routes_of(plan, "refuse") == {"Priced": []}
    assert plan.terminal_types == ("Priced",)


def test_a_join_has_a_slot_for_each_message_parameter() -> None:
    pipe = Pipe("joined")

    @pipe.node
    def price(order: Order) -> Priced: ...

    @pipe.node
    def ship(order: Order, priced: Priced) -> Shipped: ...

    plan = pipe.compile()

    assert plan.entry == (Route(node="price", slot="order"), Route(node="ship", slot="order"))
    assert routes_of(plan, "price") == {"Priced": ["ship.priced"]}
    assert [slot.name for slot in plan.nodes["ship"].slots] == ["order", "priced"]


def test_the_elements_of_a_series_are_routed_one_by_one() -> None:
    pipe = Pipe("series")

    @pipe.node
    def split(order: Order) -> list[Priced | Shipped]: ...

    @pipe.node
    async def stream(order: Order) -> AsyncIterator[Priced]:
        yield Priced(order.number)

    @pipe.node
    def each(priced: Priced) -> Iterator[Shipped]:
        yield Shipped(priced.number)

    plan = pipe.compile()

    assert routes_of(plan, "split") == {"Priced": ["each.priced"], "Shipped": []}
    assert [(node.is_series, node.is_async) for node in plan.nodes.values()] == [
        (True, False),
        (True, True),
        (True, False),
    ]


def test_a_node_that_returns_to_reaches_every_node() -> None:
    pipe = Pipe("dispatch", entry=Order)

    @pipe.node
    def dispatch(order: Order) -> To:
        return To("ship", Priced(order.number))

    @pipe.node
    def ship(priced: Priced) -> Shipped: ...

    @pipe.node
    def join(priced: Priced, shipped: Shipped) -> None: ...

    plan = pipe.compile()

    assert plan.nodes["dispatch"].sends_anywhere
    assert plan.nodes["dispatch"].outputs == ()
    assert plan.parents["ship"] == ("dispatch",)
    assert plan.parents["join"] == ("dispatch", "ship")


def test_a_bounded_loop_is_allowed() -> None:
    pipe = Pipe("loop", entry=Order)

    @pipe.node(max_visits=3)
    def improve(order: Order) -> Order | Priced: ...

    plan = pipe.compile()

    assert routes_of(plan, "improve") == {"Order": ["improve.order"], "Priced": []}
    assert plan.nodes["improve"].max_visits == 3


def test_an_entry_type_may_be_a_subclass_of_what_the_nodes_take() -> None:
    pipe = Pipe("events", entry=Opened)

    @pipe.node
    def on_any(event: Event) -> None: ...

    plan = pipe.compile()

    assert plan.entry_type == "Opened"
    assert plan.entry == (Route(node="on_any", slot="event"),)
