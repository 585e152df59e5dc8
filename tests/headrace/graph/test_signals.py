"""Signals of a pipe: one type a name, a form on the wire, and a node that waits for them."""

# The nodes here are read, never called, so their bodies are empty.
# mypy: disable-error-code="empty-body"

from msgspec import Struct
from tests.headrace.graph.compiled import mistakes_of

from headrace.graph.options import Signal, Suspend
from headrace.graph.pipe import Pipe


class Order(Struct):
    n: int


class Approval(Struct):
    by: str


class Refusal(Struct):
    by: str


class Socket:
    pass


class Raw(Struct):
    socket: Socket


def test_a_signals_type_is_no_message_of_the_graph() -> None:
    pipe = Pipe("orders")

    @pipe.node
    def wait(order: Order, approval: Signal[Approval]) -> Suspend | None: ...

    plan = pipe.compile()

    assert plan.nodes["wait"].signals["approval"].from_json(b'{"by":"Ada"}') == Approval("Ada")
    assert plan.nodes["wait"].outputs == ()
    assert set(plan.codecs) == {"Order"}
    assert plan.entry_type == "Order"


def test_a_signal_that_the_node_never_waits_for_is_a_mistake() -> None:
    pipe = Pipe("orders")

    @pipe.node
    def wait(order: Order, approval: Signal[Approval]) -> None: ...

    assert mistakes_of(pipe) == [
        "node 'wait': 'approval' waits for a signal, but the return lacks Suspend, so nothing waits"
    ]


def test_a_signal_of_two_types_is_a_mistake() -> None:
    pipe = Pipe("orders")

    @pipe.node
    def one(order: Order, answer: Signal[Approval]) -> Suspend: ...

    @pipe.node
    def same(order: Order, answer: Signal[Approval]) -> Suspend: ...

    @pipe.node
    def other(order: Order, answer: Signal[Refusal]) -> Suspend: ...

    assert mistakes_of(pipe) == [
        "node 'other': signal 'answer' is 'Refusal' here and 'Approval' in node 'one'; rename one"
    ]


def test_a_signal_without_a_form_on_the_wire_is_a_mistake() -> None:
    pipe = Pipe("orders")

    @pipe.node
    def wait(order: Order, raw: Signal[Raw]) -> Suspend: ...

    (line,) = mistakes_of(pipe)

    assert line.startswith("node 'wait': message type 'Raw' has no form on the wire")


def test_a_node_may_wait_for_time_without_a_signal() -> None:
    pipe = Pipe("orders")

    @pipe.node
    def wait(order: Order) -> Approval | Suspend: ...

    assert pipe.compile().nodes["wait"].outputs == ("Approval",)
