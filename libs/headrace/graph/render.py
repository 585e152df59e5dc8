"""A plan as people and tools read it: table rows, a Mermaid flowchart, plain JSON values. Pure."""

from dataclasses import dataclass
from typing import Any

from headrace.graph.message_types import type_name
from headrace.graph.plan import ExecutionPlan, PlanNode, Route, Slot, SlotKind

END = "end of run"
ANYWHERE = "any node"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A node, in the columns of the table; many values are joined with commas."""

    node: str
    group: str
    takes: str
    gives: str
    goes_to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrow:
    """Where messages go: from a node, or the entry, which is empty, to a node, or the end of the run, which is too.

    Attributes:
        types: As the parameter takes them, such as `Gather[Priced]`.
        crosses: Whether it leads to another group.
    """

    source: str
    target: str
    types: tuple[str, ...]
    crosses: bool


def as_table(plan: ExecutionPlan) -> list[Row]:
    """Give a row a node, in order of declaration."""
    return [
        Row(
            node=node.name,
            group=node.group,
            takes=" + ".join(_marked(slot.type_name, slot) for slot in node.slots),
            gives=", ".join(node.outputs),
            goes_to=", ".join(_destinations(node)),
        )
        for node in plan.nodes.values()
    ]


def as_mermaid(plan: ExecutionPlan) -> str:
    """Draw a flowchart: a box a group, the entry, the end of the run, dotted arrows where a message leaves its group.

    An arrow's types stand as the parameter takes them, such as `Gather[Priced]`.
    Targets of `To` are not drawn: they are known only when it is sent.
    """
    # ids are our own: a node may be named as a word of Mermaid, such as `end`
    ids = {name: f"n{number}" for number, name in enumerate(plan.nodes)}
    lines = ["flowchart LR", f'  entry(["{plan.entry_type}"])']
    for number, (group, names) in enumerate(plan.groups.items()):
        lines.append(f'  subgraph g{number}["{group}"]')
        lines.extend(f'    {ids[name]}["{name}"]' for name in names)
        lines.append("  end")
    if plan.terminal_types:
        lines.append(f'  done(["{END}"])')
    for arrow in arrows(plan):
        if not arrow.source:
            lines.append(f"  entry --> {ids[arrow.target]}")
            continue
        line = "-.->" if arrow.crosses else "-->"
        lines.append(f'  {ids[arrow.source]} {line}|"{", ".join(arrow.types)}"| {ids.get(arrow.target, "done")}')
    return "\n".join((*lines, ""))


def arrows(plan: ExecutionPlan) -> list[Arrow]:
    """Give every arrow of the drawing, those of the entry first."""
    entries = dict.fromkeys(route.node for route in plan.entry)
    found = [Arrow(source="", target=name, types=(plan.entry_type,), crosses=False) for name in entries]
    for node in plan.nodes.values():
        for target, sent in _edges(node).items():
            crosses = bool(target) and plan.nodes[target].group != node.group
            types = tuple(_as_taken(each, route, plan) for each, route in sent)
            found.append(Arrow(source=node.name, target=target, types=types, crosses=crosses))
    return found


def as_json(plan: ExecutionPlan) -> dict[str, Any]:
    """Give the plan as values that are JSON, the schema of every message type included."""
    return {
        "pipe": plan.pipe,
        "version": plan.version,
        "entry_type": plan.entry_type,
        "terminal_types": list(plan.terminal_types),
        "groups": {group: list(nodes) for group, nodes in plan.groups.items()},
        "nodes": [_node_as_json(node) for node in plan.nodes.values()],
        "types": {name: codec.json_schema() for name, codec in plan.codecs.items()},
    }


def _node_as_json(node: PlanNode) -> dict[str, Any]:
    keyed, retry = node.keyed, node.retry
    return {
        "name": node.name,
        "group": node.group,
        "takes": [{"parameter": slot.name, "type": slot.type_name, "kind": slot.kind.value} for slot in node.slots],
        "signals": {name: codec.json_schema() for name, codec in node.signals.items()},
        "gives": list(node.outputs),
        "routes": {type_name(sent): [route.node for route in routes] for sent, routes in node.routes.items()},
        "is_series": node.is_series,
        "opens": list(node.opens),
        "is_terminal": node.is_terminal,
        "sends_anywhere": node.sends_anywhere,
        "retry_attempts": retry.attempts if retry is not None else None,
        "timeout_s": node.timeout_s,
        "barrier_timeout_s": node.barrier_timeout_s,
        "concurrency": node.concurrency,
        "key": keyed.key if keyed is not None else None,
        "order": keyed.order if keyed is not None else None,
        "max_visits": node.max_visits,
    }


def _destinations(node: PlanNode) -> tuple[str, ...]:
    named = tuple(target or END for target in _edges(node))
    return (*named, ANYWHERE) if node.sends_anywhere else named


def _edges(node: PlanNode) -> dict[str, list[tuple[type[Any], Route | None]]]:
    """Give what goes to each node and where there; to no node, the empty name, what ends the run."""
    edges: dict[str, list[tuple[type[Any], Route | None]]] = {}
    for sent, routes in node.routes.items():
        for route in {route.node: route for route in routes}.values():
            edges.setdefault(route.node, []).append((sent, route))
        if not routes:
            edges.setdefault("", []).append((sent, None))
    return edges


def _as_taken(sent: type[Any], route: Route | None, plan: ExecutionPlan) -> str:
    if route is None:
        return type_name(sent)
    slot = next(each for each in plan.nodes[route.node].slots if each.name == route.slot)
    return _marked(type_name(sent), slot)


def _marked(types: str, slot: Slot) -> str:
    return types if slot.kind is SlotKind.ONE else f"{slot.kind.value.title()}[{types}]"
