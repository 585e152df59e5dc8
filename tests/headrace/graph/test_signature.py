"""Reading a node's function: every parameter's part, every return, and what cannot be read."""

# The nodes here are read, never called, so their bodies are empty.
# mypy: disable-error-code="empty-body"

import functools
from collections.abc import Callable
from typing import Annotated, Any, Literal, Optional, Union

import pytest
from msgspec import Struct
from pydantic import BaseModel
from tests.headrace.graph.compiled import mistakes_of

from headrace.graph.options import ContextMarker, Drop, First, Gather, Inject, InjectMarker, Retry, State, StateMarker
from headrace.graph.pipe import Pipe


class Context(ContextMarker):
    """Stands for the kernel's."""


class Clock:
    pass


class Order(Struct):
    number: int


class Special(Order):
    discount: int


class Priced(BaseModel):
    number: int


class Limits(Struct):
    spent: int = 0


def test_parameters_are_told_apart_by_their_annotations() -> None:
    pipe = Pipe("orders")

    @pipe.node(key="number")
    async def price(
        order: Annotated[Order, "from the web"], clock: Inject[Clock], ctx: Context, limits: State[Limits]
    ) -> Priced: ...

    node = pipe.compile().nodes["price"]

    assert [(slot.name, slot.type_name) for slot in node.slots] == [("order", "Order")]
    assert node.injected == {"clock": Clock}
    assert node.context_param == "ctx"
    assert node.keyed is not None
    assert node.keyed.state_param == "limits"
    assert node.keyed.state is not None
    assert node.keyed.state.message_type is Limits


def test_old_spellings_of_unions_are_read() -> None:
    pipe = Pipe("orders")

    @pipe.node
    def price(order: Order) -> Optional[Union[Priced, Limits]]: ...  # noqa: UP007, UP045

    assert pipe.compile().nodes["price"].outputs == ("Priced", "Limits")


def test_a_wrapped_function_is_read_through_its_wrapper() -> None:
    pipe = Pipe("orders")

    def logged(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return wrapper

    @pipe.node
    @logged
    async def price(order: Order) -> Priced: ...

    node = pipe.compile().nodes["price"]

    assert [slot.name for slot in node.slots] == ["order"]
    assert node.is_async


def test_a_bound_method_can_be_a_node() -> None:
    class Pricing:
        async def price(self, order: Order) -> Priced: ...

    pipe = Pipe("orders")
    pipe.node(Pricing().price)

    assert [slot.name for slot in pipe.compile().nodes["price"].slots] == ["order"]


def _no_annotation(order): ...  # type: ignore[no-untyped-def]
def _no_return(order: Order): ...  # type: ignore[no-untyped-def]
def _no_message(clock: Inject[Clock]) -> None: ...
def _not_a_message(order: int) -> None: ...
def _a_union(order: Order | Priced) -> None: ...
def _a_control_word(order: Drop) -> None: ...
def _starred(order: Order, *rest: Order) -> None: ...
def _positional(order: Order, /) -> None: ...
def _double(first: Order, second: Order) -> None: ...
def _kin(first: Order, second: Special) -> None: ...
def _kin_of_several(first: First[Priced | Order], second: Special) -> None: ...
def _mixed_gather(special: Special, priced: Gather[Priced]) -> None: ...
def _bare_inject(order: Order, clock: Inject) -> None: ...  # type: ignore[type-arg]
def _bad_state(order: Order, limits: State[int]) -> None: ...
def _both(order: Order, limits: Annotated[Limits, InjectMarker(), StateMarker()]) -> None: ...
def _injected_context(order: Order, ctx: Inject[Context]) -> None: ...
def _two_contexts(order: Order, ctx: Context, context: Context) -> None: ...
def _returns_int(order: Order) -> int: ...
def _returns_any(order: Order) -> Any: ...
def _returns_literal(order: Order) -> Literal["done"]: ...
def _returns_list(order: Order) -> list: ...  # type: ignore[type-arg]
def _returns_inject(order: Order) -> Inject[Priced]: ...
def _mixes(order: Order) -> list[Priced] | Limits | Retry: ...


MESSAGES = "a msgspec.Struct, a pydantic model or a dataclass"


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (
            _no_annotation,
            [
                "parameter 'order' has no annotation; give its message type, Inject[...], State[...] or Context",
                "the return has no annotation; give the type sent on, or None",
            ],
        ),
        (_no_return, ["the return has no annotation; give the type sent on, or None"]),
        (_no_message, ["no parameter takes a message; annotate one with a message type"]),
        (
            _not_a_message,
            [
                f"parameter 'order' is 'int', which is no message type; messages are {MESSAGES}; "
                "write Inject[...] for a dependency"
            ],
        ),
        (
            _a_control_word,
            [
                f"parameter 'order' is 'Drop', which is no message type; messages are {MESSAGES}; "
                "write Inject[...] for a dependency"
            ],
        ),
        (_starred, ["parameter 'rest' is a *parameter; parameters are passed by name, one value each"]),
        (_positional, ["parameter 'order' is positional-only; parameters are passed by name, one value each"]),
        (_double, ["parameters 'first' and 'second' both take 'Order'; a join needs a type each"]),
        (_kin, ["parameters 'first' and 'second' both take 'Special'; a join needs a type each"]),
        (_kin_of_several, ["parameters 'first' and 'second' both take 'Special'; a join needs a type each"]),
        (
            _mixed_gather,
            ["'priced' gathers, beside a message; a gather is a node of its own: send its result to the join"],
        ),
        (_bare_inject, ["Inject on parameter 'clock' says no type; write Inject[...]"]),
        (_bad_state, [f"State on parameter 'limits' holds 'int', which has no codec; make it {MESSAGES}"]),
        (_both, ["Inject and State on parameter 'limits' exclude each other; keep one"]),
        (
            _injected_context,
            ["Inject on parameter 'ctx' is not needed: the context is given to a parameter annotated with it"],
        ),
        (_two_contexts, ["parameters 'ctx' and 'context' are both the Context; keep one"]),
        (_returns_int, [f"the return is 'int', which is no message type; messages are {MESSAGES}"]),
        (_returns_any, [f"the return is 'Any', which is no message type; messages are {MESSAGES}"]),
        (
            _returns_literal,
            [f"the return is 'typing.Literal['done']', which is no message type; messages are {MESSAGES}"],
        ),
        (_returns_list, [f"the return is 'list', which is no message type; messages are {MESSAGES}"]),
        (_returns_inject, ["Inject on the return has no meaning; it marks a parameter"]),
        (_mixes, ["the return mixes a series with 'Limits'; give all in the series"]),
    ],
)
def test_a_signature_that_cannot_be_read_is_a_mistake(function: Callable[..., Any], expected: list[str]) -> None:
    pipe = Pipe("orders")
    pipe.node(name="price")(function)

    assert mistakes_of(pipe) == [f"node 'price': {line}" for line in expected]


def test_a_union_parameter_is_a_mistake() -> None:
    pipe = Pipe("orders")
    pipe.node(_a_union)

    (line,) = mistakes_of(pipe)

    assert "parameter 'order' is" in line
    assert "which is no message type" in line


def test_yielding_needs_a_series_as_return() -> None:
    pipe = Pipe("orders")

    @pipe.node
    def one(order: Order) -> Priced:  # type: ignore[misc]
        yield Priced(number=order.number)

    @pipe.node
    async def two(order: Order) -> list[Priced]:  # type: ignore[misc]
        yield Priced(number=order.number)

    assert mistakes_of(pipe) == [
        "node 'one': it yields; annotate the return as Iterator[...]",
        "node 'two': it yields asynchronously; annotate the return as AsyncIterator[...]",
    ]


def test_a_node_must_be_a_function() -> None:
    pipe = Pipe("orders")

    class Price:
        def __call__(self, order: Order) -> Priced: ...

    pipe.node(Price())

    assert mistakes_of(pipe) == ["node 'Price': a Price is no function; write a def that calls it"]
