"""Annotations as strings, of types that are local, or not there yet; this module's own are all strings."""

# The nodes here are read, never called, so their bodies are empty.
# mypy: disable-error-code="empty-body"

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from msgspec import Struct
from tests.headrace.graph.compiled import mistakes_of

from headrace.graph.options import Inject, State
from headrace.graph.pipe import Pipe


class Outer(Struct):
    number: int = 0


def test_string_annotations_may_name_types_local_to_the_function() -> None:
    class Order(Struct):
        number: int

    class Clock:
        pass

    class Limits(Struct):
        spent: int = 0

    pipe = Pipe("orders")

    @pipe.node(key="number")
    def price(order: Order, clock: Inject[Clock], limits: State[Limits]) -> Iterator[Outer | None]:
        yield Outer(order.number)

    node = pipe.compile().nodes["price"]

    assert [(slot.name, slot.type_name) for slot in node.slots] == [("order", "Order")]
    assert node.injected == {"clock": Clock}
    assert node.outputs == ("Outer",)
    assert node.is_series


def test_string_annotations_may_name_local_types_that_are_defined_later() -> None:
    pipe = Pipe("orders")

    @pipe.node
    def price(order: Order) -> Annotated[Priced, "later"]: ...

    class Order(Struct):
        number: int

    class Priced(Struct):
        number: int

    plan = pipe.compile()

    assert plan.type_names == {Order: "Order", Priced: "Priced"}


def test_string_annotations_may_name_module_types_that_are_defined_later() -> None:
    pipe = Pipe("orders")

    @pipe.node
    def price(order: Outer) -> Later: ...

    assert pipe.compile().nodes["price"].outputs == ("Later",)


def test_types_of_an_enclosing_function_are_found_where_the_body_uses_them() -> None:
    class Order(Struct):
        number: int

    class Priced(Struct):
        number: int

    def build() -> Pipe:
        pipe = Pipe("orders")

        @pipe.node
        def price(order: Outer) -> Priced:
            return Priced(order.number)

        return pipe

    assert build().compile().nodes["price"].outputs == ("Priced",)


def test_a_name_that_is_not_there_is_reported_with_the_nearest_type() -> None:
    class Order(Struct):
        number: int

    pipe = Pipe("orders")

    @pipe.node
    def price(order: Ordr) -> Outer: ...  # type: ignore[name-defined]  # noqa: F821

    assert mistakes_of(pipe) == [
        "node 'price': the annotation of parameter 'order' cannot be resolved: name 'Ordr' is not defined; "
        "did you mean 'Order'?"
    ]


def test_an_annotation_that_is_no_type_is_reported() -> None:
    pipe = Pipe("orders")

    @pipe.node
    def price(order: Outer.number.kind) -> Outer.inner: ...  # type: ignore[name-defined]

    lines = mistakes_of(pipe)

    assert len(lines) == 2
    assert lines[0].startswith("node 'price': the annotation of parameter 'order' cannot be resolved: ")
    assert lines[1].startswith("node 'price': the annotation of the return cannot be resolved: ")


class Later(Struct):
    number: int
