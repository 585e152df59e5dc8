"""Keys of nodes: how they are read, and what cannot be one."""

# The nodes here are read, never called, so their bodies are empty.
# mypy: disable-error-code="empty-body"

from collections.abc import Callable
from typing import Literal, Unpack

import pytest
from msgspec import Struct
from tests.headrace.graph.compiled import mistakes_of

from headrace.graph.declaration import NodeOptions
from headrace.graph.options import State
from headrace.graph.pipe import Pipe


class Line(Struct):
    text: str
    customer_id: int = 7


class Load(Struct):
    customer_id: int
    amount: int


class Decision(Struct):
    is_accepted: bool


class Limits(Struct):
    spent: int = 0


class Started(Struct):
    at: int


def build(**options: Unpack[NodeOptions]) -> Pipe:
    pipe = Pipe("loads")

    @pipe.node
    def parse(line: Line) -> Load: ...

    @pipe.node(**options)
    def decide(load: Load, limits: State[Limits]) -> Decision: ...

    return pipe


def test_a_field_as_key_is_read_from_the_message() -> None:
    keyed = build(key="customer_id").compile().nodes["decide"].keyed

    assert keyed is not None
    assert (keyed.order, keyed.key, keyed.ingress_key_of) == ("arrival", "customer_id", None)
    assert keyed.key_of(Load(42, 1)) == "42"


def test_with_order_by_ingress_the_field_is_read_from_the_entry_message_too() -> None:
    keyed = build(key="customer_id", order="ingress").compile().nodes["decide"].keyed

    assert keyed is not None
    assert keyed.ingress_key_of is not None
    assert keyed.ingress_key_of(Line("x", 5)) == "5"


def test_a_function_as_key_is_called_with_the_message_and_the_entry_message() -> None:
    key: Callable[[Line | Load], int] = lambda message: message.customer_id % 10  # noqa: E731 - as users write it
    keyed = build(key=key, order="ingress").compile().nodes["decide"].keyed

    assert keyed is not None
    assert keyed.ingress_key_of is not None
    assert keyed.key_of(Load(42, 1)) == "2"
    assert keyed.ingress_key_of(Line("x", 15)) == "5"


def test_a_constant_key_is_a_function() -> None:
    keyed = build(key=lambda _: "all").compile().nodes["decide"].keyed

    assert keyed is not None
    assert keyed.key_of(Load(42, 1)) == "all"


def test_the_first_state_is_made_without_arguments() -> None:
    keyed = build(key="customer_id").compile().nodes["decide"].keyed

    assert keyed is not None
    assert keyed.state is not None
    assert keyed.state.message_type() == Limits(spent=0)
    assert keyed.state_param == "limits"


def test_state_without_a_key_is_a_mistake() -> None:
    assert mistakes_of(build()) == ["node 'decide': parameter 'limits' takes State, which belongs to a key; give key="]


def test_a_key_that_is_no_field_is_a_mistake() -> None:
    assert mistakes_of(build(key="custmer_id")) == [
        "node 'decide': key='custmer_id' is no field of message 'Load'; a constant is key=lambda _: 'custmer_id'; "
        "did you mean 'customer_id'?"
    ]


def test_with_order_by_ingress_a_key_that_is_no_field_of_the_entry_type_is_a_mistake() -> None:
    assert mistakes_of(build(key="amount", order="ingress")) == [
        "node 'decide': key='amount' is no field of the entry type 'Line'; a constant is key=lambda _: 'amount'; "
        "known: 'customer_id', 'text'"
    ]


def test_a_keyed_join_is_a_mistake() -> None:
    pipe = Pipe("loads")

    @pipe.node
    def parse(line: Line) -> Load: ...

    @pipe.node(key="customer_id")
    def decide(line: Line, load: Load) -> Decision: ...

    assert mistakes_of(pipe) == ["node 'decide': key= on a join is not supported; key the node that the join sends to"]


def test_a_state_type_that_needs_arguments_is_a_mistake() -> None:
    pipe = Pipe("loads")

    @pipe.node(key="customer_id")
    def decide(load: Load, started: State[Started]) -> Decision: ...

    assert mistakes_of(pipe) == ["node 'decide': state type 'Started' needs arguments; give its fields defaults"]


@pytest.mark.parametrize("order", ["arrival", "ingress"])
def test_the_order_is_in_the_plan(order: Literal["arrival", "ingress"]) -> None:
    keyed = build(key="customer_id", order=order).compile().nodes["decide"].keyed

    assert keyed is not None
    assert keyed.order == order


def test_bounds_of_a_state_that_there_is_not_are_refused() -> None:
    pipe = Pipe("loads")

    @pipe.node(key="customer_id", state_ttl=60.0, state_max_bytes=100)
    def decide(load: Load) -> Decision: ...

    assert mistakes_of(pipe) == [
        "node 'decide': state_ttl= has nothing to act on: no parameter takes State",
        "node 'decide': state_max_bytes= has nothing to act on: no parameter takes State",
    ]


def test_bounds_of_a_state_are_in_the_plan() -> None:
    keyed = build(key="customer_id", state_ttl=60.0, state_max_bytes=100).compile().nodes["decide"].keyed

    assert keyed is not None
    assert (keyed.state_ttl_s, keyed.state_max_bytes) == (60.0, 100)


@pytest.mark.parametrize("option", ["state_ttl", "state_max_bytes"])
def test_bounds_of_a_state_are_above_0(option: str) -> None:
    options: NodeOptions = {"key": "customer_id", option: 0}  # type: ignore[misc]  # one of the two
    assert [option in mistake for mistake in mistakes_of(build(**options))] == [True]
