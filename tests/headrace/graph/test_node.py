"""Options of a node: each one out of its bounds is a mistake."""

# The nodes here are read, never called, so their bodies are empty.
# mypy: disable-error-code="empty-body"

import pytest
from msgspec import Struct
from tests.headrace.graph.compiled import mistakes_of

from headrace.graph.declaration import NodeOptions
from headrace.graph.options import First, Gather, Partial, Retry
from headrace.graph.pipe import Pipe


class Order(Struct):
    number: int


class Priced(Struct):
    number: int


COUNT = "must be a whole number of at least 1"
SECONDS = "must be a number of seconds of at least 0"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"timeout": 0}, "timeout=0 must be a number of seconds above 0"),
        ({"barrier_timeout": 0}, "barrier_timeout=0 must be a number of seconds above 0"),
        ({"barrier_timeout": True}, "barrier_timeout=True must be a number of seconds above 0"),
        ({"barrier_timeout": 5}, "barrier_timeout= bounds the wait of a join or gather, and this is neither"),
        ({"timeout": float("nan")}, "timeout=nan must be a number of seconds above 0"),
        ({"timeout": "5"}, "timeout=5 must be a number of seconds above 0"),
        ({"concurrency": 0}, f"concurrency=0 {COUNT}"),
        ({"concurrency": 1.5}, f"concurrency=1.5 {COUNT}"),
        ({"max_visits": -1}, f"max_visits=-1 {COUNT}"),
        ({"retry": 0}, f"retry.attempts=0 {COUNT}"),
        ({"retry": "often"}, "retry=often must be a Retry, or the number of calls in all"),
        ({"retry": Retry(backoff=-1)}, f"retry.backoff=-1 {SECONDS}"),
        ({"retry": Retry(max_backoff=-1)}, f"retry.max_backoff=-1 {SECONDS}"),
        ({"retry": Retry(jitter=2)}, "retry.jitter=2 must be a fraction from 0 to 1"),
        ({"retry": Retry(on=(int,))}, "retry.on=a tuple must be a tuple of exception types"),  # type: ignore[arg-type]
        ({"retry": Retry(after=1)}, "retry.after=1 must be left out here; a node returns Retry(after=...)"),
        ({"group": "Main"}, "group name 'Main' does not match [a-z][a-z0-9_-]{0,62}"),
        ({"name": "a b"}, "node name 'a b' does not match [A-Za-z_][A-Za-z0-9_-]{0,62}"),
        ({"to": print}, "to=a builtin_function_or_method must be the name of a node"),
        ({"terminal": "yes"}, "terminal=yes must be True or False"),
        ({"key": 5}, "key=5 must be a field's name, or a function"),
        ({"key": "number", "order": "random"}, "order=random must be 'arrival' or 'ingress'"),
        ({"executor": "fibre"}, "executor=fibre must be one of 'inline', 'thread', 'process', 'ray'"),
        (
            {"executor": "inline"},
            "executor='inline' is for an async def; write an async def, or leave it out",
        ),
        ({"order": "ingress"}, "order= is the order within a key; give key="),
        ({"gruop": "main"}, "'gruop' is no option of a node; did you mean 'group'?"),
        ({"to": "price", "terminal": True}, "to='price' and terminal=True contradict each other; keep one"),
    ],
)
def test_an_option_out_of_bounds_is_a_mistake(options: NodeOptions, expected: str) -> None:
    pipe = Pipe("orders")

    @pipe.node(**options)
    def price(order: Order) -> Priced: ...

    assert f"node '{options.get('name', 'price')}': {expected}" in mistakes_of(pipe)


@pytest.mark.parametrize("options", [{"to": "price"}, {"terminal": True}])
def test_an_option_for_outputs_needs_outputs(options: NodeOptions) -> None:
    pipe = Pipe("orders")

    @pipe.node(**options)
    def price(order: Order) -> None: ...

    (option,) = options
    assert mistakes_of(pipe) == [f"node 'price': {option}= has nothing to act on: the return declares no message"]


def test_a_coroutine_stays_on_the_loop_that_it_is_made_for_unless_it_leaves_the_process() -> None:
    pipe = Pipe("orders")

    @pipe.node(executor="thread")
    async def price(order: Order) -> Priced: ...

    assert mistakes_of(pipe) == [
        "node 'price': executor='thread' is for a def; write a def, or leave it out",
    ]


def test_a_node_runs_where_its_kind_of_function_does_unless_it_says_otherwise() -> None:
    pipe = Pipe("orders", entry=Order)

    @pipe.node
    async def one(order: Order) -> None: ...

    @pipe.node
    def two(order: Order) -> None: ...

    @pipe.node(executor="process")
    async def three(order: Order) -> None: ...

    @pipe.node(executor="ray")
    def four(order: Order) -> None: ...

    nodes = pipe.compile().nodes.values()
    assert [(node.executor, node.runs_elsewhere) for node in nodes] == [
        ("inline", False),
        ("thread", False),
        ("process", True),
        ("ray", True),
    ]


def test_a_join_may_have_a_barrier_and_a_plain_node_may_not() -> None:
    pipe = Pipe("orders", entry=Order)

    @pipe.node
    def price(order: Order) -> list[Priced]: ...

    @pipe.node(barrier_timeout=2)
    def join(order: Partial[Order], priced: Partial[Priced]) -> None: ...

    @pipe.node(barrier_timeout=0.5)
    def first(priced: First[Priced]) -> None: ...

    plan = pipe.compile()

    assert {name: node.barrier_timeout_s for name, node in plan.nodes.items()} == {
        "price": None,
        "join": 2,
        "first": 0.5,
    }


def test_a_join_of_any_kind_has_no_key() -> None:
    pipe = Pipe("orders", entry=Order)

    @pipe.node
    def price(order: Order) -> list[Priced]: ...

    @pipe.node(key="number")
    def join(order: Order, special: Partial[Priced]) -> None: ...

    @pipe.node(key="number")
    def first(priced: First[Priced]) -> None: ...

    @pipe.node(key="number")
    def gather(priced: Gather[Priced]) -> None: ...

    expected = "key= on a join is not supported; key the node that the join sends to"
    assert [line for line in mistakes_of(pipe) if "key=" in line] == [
        f"node '{name}': {expected}" for name in ("join", "first", "gather")
    ]
