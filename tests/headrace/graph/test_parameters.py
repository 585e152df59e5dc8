"""Reading one parameter: messages by kind, signals, and marks on the wrong things."""

# The nodes here are read, never called, so their bodies are empty.
# mypy: disable-error-code="empty-body"

from collections.abc import Callable
from typing import Annotated, Any, Optional, Union

import pytest
from msgspec import Struct
from pydantic import BaseModel
from tests.headrace.graph.compiled import mistakes_of, routes_of

from headrace.graph.options import (
    ContextMarker,
    Drop,
    First,
    FirstMarker,
    Gather,
    Inject,
    Partial,
    PartialMarker,
    Signal,
    State,
    Suspend,
)
from headrace.graph.pipe import Pipe
from headrace.graph.plan import PlanNode, SlotKind


class Context(ContextMarker):
    """Stands for the kernel's."""


class Order(Struct):
    number: int


class Special(Order):
    discount: int


class Card(Struct):
    number: int


class Transfer(BaseModel):
    number: int


class Offer(Struct):
    number: int


MESSAGES = "a msgspec.Struct, a pydantic model or a dataclass"
CASH = Union[Card, Transfer]  # noqa: UP007 - an old spelling, and an alias


def read(function: Callable[..., Any]) -> PlanNode:
    """Give the plan of a node that takes an Order, or what is made of it."""
    pipe = Pipe("orders", entry=Order)

    @pipe.node
    def make(order: Order) -> list[Card | Transfer]: ...

    pipe.node(name="it")(function)
    return pipe.compile().nodes["it"]


def _one(order: Annotated[Order, "from the web"]) -> Offer: ...
def _two(card: Card, transfer: Transfer) -> Offer: ...
def _first(paid: First[Card | Transfer]) -> Offer: ...
def _first_alias(paid: First[CASH]) -> Offer: ...
def _first_strings(paid: "First[Card | Transfer]") -> Offer: ...
def _first_single(paid: First[Card]) -> Offer: ...
def _first_beside(order: First[Card], transfer: Transfer) -> Offer: ...
def _partial(card: Card, transfer: Partial[Transfer]) -> Offer: ...
def _all_partial(card: Partial[Card], transfer: Partial[Transfer]) -> Offer: ...
def _partial_union(paid: Partial[Card | Transfer]) -> Offer: ...
def _gather(paid: Gather[Card]) -> Offer: ...
def _gather_union(paid: Gather[Card | Annotated[Transfer, "slow"]]) -> Offer: ...
def _gather_two(cards: Gather[Card], transfers: Gather[Transfer]) -> Offer: ...


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (_one, [("order", "Order", SlotKind.ONE)]),
        (_two, [("card", "Card", SlotKind.ONE), ("transfer", "Transfer", SlotKind.ONE)]),
        (_first, [("paid", "Card | Transfer", SlotKind.FIRST)]),
        (_first_alias, [("paid", "Card | Transfer", SlotKind.FIRST)]),
        (_first_strings, [("paid", "Card | Transfer", SlotKind.FIRST)]),
        (_first_single, [("paid", "Card", SlotKind.FIRST)]),
        (_first_beside, [("order", "Card", SlotKind.FIRST), ("transfer", "Transfer", SlotKind.ONE)]),
        (_partial, [("card", "Card", SlotKind.ONE), ("transfer", "Transfer", SlotKind.PARTIAL)]),
        (_all_partial, [("card", "Card", SlotKind.PARTIAL), ("transfer", "Transfer", SlotKind.PARTIAL)]),
        (_partial_union, [("paid", "Card | Transfer", SlotKind.PARTIAL)]),
        (_gather, [("paid", "Card", SlotKind.GATHER)]),
        (_gather_union, [("paid", "Card | Transfer", SlotKind.GATHER)]),
        (_gather_two, [("cards", "Card", SlotKind.GATHER), ("transfers", "Transfer", SlotKind.GATHER)]),
    ],
)
def test_a_message_parameter_has_its_types_and_its_kind(
    function: Callable[..., Any], expected: list[tuple[str, str, SlotKind]]
) -> None:
    node = read(function)

    assert [(slot.name, slot.type_name, slot.kind) for slot in node.slots] == expected
    assert node.is_join is (function is not _one)
    assert node.gathers is (expected[0][2] is SlotKind.GATHER)


def test_every_type_of_a_slot_is_routed_to_it_and_its_subclasses_too() -> None:
    pipe = Pipe("orders", entry=Offer)

    @pipe.node
    def make(offer: Offer) -> Card | Special | Transfer: ...

    @pipe.node
    def pay(paid: First[Card | Order]) -> None: ...

    assert routes_of(pipe.compile(), "make") == {"Card": ["pay.paid"], "Special": ["pay.paid"], "Transfer": []}


def test_a_signal_is_no_slot_and_may_stand_beside_any() -> None:
    def wait(paid: Gather[Card], approval: Signal[Transfer], ctx: Context) -> Offer | Suspend: ...

    node = read(wait)

    assert [slot.name for slot in node.slots] == ["paid"]
    assert {name: codec.message_type for name, codec in node.signals.items()} == {"approval": Transfer}
    assert node.context_param == "ctx"


def _first_int(it: First[int]) -> None: ...
def _first_none(it: First[Card | None]) -> None: ...
def _first_control(it: First[Card | Drop]) -> None: ...
def _first_bare(it: First) -> None: ...  # type: ignore[type-arg]
def _partial_int(order: Order, it: Partial[int]) -> None: ...
def _partial_bare(order: Order, it: Partial) -> None: ...  # type: ignore[type-arg]
def _partial_context(order: Order, it: Partial[Context]) -> None: ...
def _gather_list(it: Gather[list[Card]]) -> None: ...
def _gather_bare(it: Gather) -> None: ...  # type: ignore[type-arg]
def _signal_int(order: Order, it: Signal[int]) -> Suspend: ...
def _signal_union(order: Order, it: Signal[Card | Transfer]) -> Suspend: ...
def _signal_bare(order: Order, it: Signal) -> Suspend: ...  # type: ignore[type-arg]
def _nested(it: First[Gather[Card]]) -> None: ...
def _two_marks(it: Annotated[Card, FirstMarker(), PartialMarker()]) -> None: ...
def _state_union(order: Order, it: State[Card | Transfer]) -> None: ...


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (_first_int, f"First on parameter 'it' holds 'int', which has no codec; make it {MESSAGES}"),
        (_first_none, f"First on parameter 'it' holds 'NoneType', which has no codec; make it {MESSAGES}"),
        (_first_control, f"First on parameter 'it' holds 'Drop', which has no codec; make it {MESSAGES}"),
        (_first_bare, "First on parameter 'it' says no type; write First[...]"),
        (_partial_int, f"Partial on parameter 'it' holds 'int', which has no codec; make it {MESSAGES}"),
        (_partial_bare, "Partial on parameter 'it' says no type; write Partial[...]"),
        (
            _partial_context,
            "Partial on parameter 'it' is not needed: the context is given to a parameter annotated with it",
        ),
        (
            _gather_list,
            f"Gather on parameter 'it' holds 'list[{__name__}.Card]', which has no codec; make it {MESSAGES}",
        ),
        (_gather_bare, "Gather on parameter 'it' says no type; write Gather[...]"),
        (_signal_int, f"Signal on parameter 'it' holds 'int', which has no codec; make it {MESSAGES}"),
        (_signal_union, "Signal on parameter 'it' holds several types; a signal is of one"),
        (_signal_bare, "Signal on parameter 'it' says no type; write Signal[...]"),
        (_nested, "Gather and First on parameter 'it' exclude each other; keep one"),
        (_two_marks, "First and Partial on parameter 'it' exclude each other; keep one"),
    ],
)
def test_a_mark_on_the_wrong_thing_is_a_mistake(function: Callable[..., Any], expected: str) -> None:
    pipe = Pipe("orders", entry=Order)
    pipe.node(name="it")(function)

    assert mistakes_of(pipe) == [f"node 'it': {expected}"]


def test_a_state_is_of_one_type() -> None:
    pipe = Pipe("orders")
    pipe.node(name="it", key="number")(_state_union)

    (line,) = mistakes_of(pipe)

    assert line.startswith("node 'it': State on parameter 'it' holds ")


def _returns_first(order: Order) -> First[Card]: ...
def _returns_partial(order: Order) -> Partial[Card]: ...
def _returns_gather(order: Order) -> Gather[Card]: ...
def _returns_signal(order: Order) -> Signal[Card]: ...
def _returns_inject(order: Order) -> list[Inject[Card]]: ...


@pytest.mark.parametrize(
    ("function", "mark"),
    [
        (_returns_first, "First"),
        (_returns_partial, "Partial"),
        (_returns_gather, "Gather"),
        (_returns_signal, "Signal"),
        (_returns_inject, "Inject"),
    ],
)
def test_a_mark_on_a_return_is_a_mistake(function: Callable[..., Any], mark: str) -> None:
    pipe = Pipe("orders")
    pipe.node(name="it")(function)

    assert mistakes_of(pipe) == [f"node 'it': {mark} on the return has no meaning; it marks a parameter"]


def _plain_union(paid: Card | Transfer) -> None: ...
def _plain_optional(paid: Optional[Card]) -> None: ...  # noqa: UP045 - an old spelling


@pytest.mark.parametrize(
    ("function", "advice"),
    [
        (_plain_union, "write First[...] for the first of several types"),
        (_plain_optional, "write Partial[...] where it may stay empty"),
    ],
)
def test_a_plain_union_is_a_mistake_that_names_the_mark(function: Callable[..., Any], advice: str) -> None:
    pipe = Pipe("orders")
    pipe.node(name="it")(function)

    (line,) = mistakes_of(pipe)

    assert line.endswith(f"which is no message type; messages are {MESSAGES}; {advice}")
