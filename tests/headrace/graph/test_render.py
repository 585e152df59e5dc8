"""A plan as a table, a flowchart and JSON."""

# The nodes here are read, never called, so their bodies are empty.
# mypy: disable-error-code="empty-body"

import json

from msgspec import Struct

from headrace.graph.options import First, Gather, Partial, Signal, Suspend, To
from headrace.graph.pipe import Pipe
from headrace.graph.plan import ExecutionPlan
from headrace.graph.render import Row, as_json, as_mermaid, as_table


class Order(Struct):
    customer: str


class Priced(Struct):
    customer: str


class Refused(Struct):
    customer: str


class Shipped(Struct):
    customer: str


def build() -> ExecutionPlan:
    pipe = Pipe("orders")

    @pipe.node(retry=3)
    def price(order: Order) -> Priced | Refused: ...

    @pipe.node(group="shop", timeout=2.0)
    def end(order: Order, priced: Priced) -> Shipped | To: ...

    @pipe.node(key="customer")
    def audit(priced: Priced) -> None: ...

    return pipe.compile()


def test_the_table_has_a_row_a_node() -> None:
    assert as_table(build()) == [
        Row(node="price", group="main", takes="Order", gives="Priced, Refused", goes_to="end, audit, end of run"),
        Row(node="end", group="shop", takes="Order + Priced", gives="Shipped", goes_to="end of run, any node"),
        Row(node="audit", group="main", takes="Priced", gives="", goes_to=""),
    ]


def test_the_flowchart_boxes_groups_and_dots_arrows_between_them() -> None:
    assert as_mermaid(build()) == (
        "flowchart LR\n"
        '  entry(["Order"])\n'
        '  subgraph g0["main"]\n'
        '    n0["price"]\n'
        '    n2["audit"]\n'
        "  end\n"
        '  subgraph g1["shop"]\n'
        '    n1["end"]\n'
        "  end\n"
        '  done(["end of run"])\n'
        "  entry --> n0\n"
        "  entry --> n1\n"
        '  n0 -.->|"Priced"| n1\n'
        '  n0 -->|"Priced"| n2\n'
        '  n0 -->|"Refused"| done\n'
        '  n1 -->|"Shipped"| done\n'
    )


def test_the_json_form_is_json_and_complete() -> None:
    plan = build()
    form = json.loads(json.dumps(as_json(plan)))

    assert form["pipe"] == "orders"
    assert form["version"] == plan.version
    assert form["entry_type"] == "Order"
    assert form["terminal_types"] == ["Refused", "Shipped"]
    assert form["groups"] == {"main": ["price", "audit"], "shop": ["end"]}
    assert set(form["types"]) == {"Order", "Priced", "Refused", "Shipped"}
    assert form["nodes"][0] == {
        "name": "price",
        "group": "main",
        "takes": [{"parameter": "order", "type": "Order", "kind": "one"}],
        "signals": {},
        "gives": ["Priced", "Refused"],
        "routes": {"Priced": ["end", "audit"], "Refused": []},
        "is_series": False,
        "opens": [],
        "is_terminal": False,
        "sends_anywhere": False,
        "retry_attempts": 3,
        "timeout_s": None,
        "barrier_timeout_s": None,
        "concurrency": None,
        "key": None,
        "order": None,
        "max_visits": None,
    }
    assert form["nodes"][2]["key"] == "customer"
    assert form["nodes"][2]["order"] == "arrival"


def build_joins() -> ExecutionPlan:
    pipe = Pipe("orders")

    @pipe.node
    def price(order: Order) -> list[Priced | Refused]: ...

    @pipe.node(barrier_timeout=1.5)
    def collect(these: Gather[Priced | Refused]) -> Shipped: ...

    @pipe.node
    def any_of(order: First[Order | Shipped]) -> None: ...

    @pipe.node
    def end(order: Order, shipped: Partial[Shipped], approval: Signal[Priced]) -> Suspend: ...

    return pipe.compile()


def test_the_table_says_how_messages_meet() -> None:
    assert [row.takes for row in as_table(build_joins())] == [
        "Order",
        "Gather[Priced | Refused]",
        "First[Order | Shipped]",
        "Order + Partial[Shipped]",
    ]


def test_the_flowchart_says_how_messages_meet() -> None:
    arrows = [line.strip() for line in as_mermaid(build_joins()).splitlines() if "-->|" in line]

    assert arrows == [
        'n0 -->|"Gather[Priced], Gather[Refused]"| n1',
        'n1 -->|"First[Shipped]"| n2',
        'n1 -->|"Partial[Shipped]"| n3',
    ]


def test_the_json_form_says_how_messages_meet() -> None:
    price, collect, any_of, end = json.loads(json.dumps(as_json(build_joins())))["nodes"]

    assert price["opens"] == ["collect"]
    assert collect["takes"] == [{"parameter": "these", "type": "Priced | Refused", "kind": "gather"}]
    assert collect["barrier_timeout_s"] == 1.5
    assert any_of["takes"] == [{"parameter": "order", "type": "Order | Shipped", "kind": "first"}]
    assert end["takes"][1] == {"parameter": "shipped", "type": "Shipped", "kind": "partial"}
    assert list(end["signals"]) == ["approval"]
    assert "customer" in json.dumps(end["signals"]["approval"])
