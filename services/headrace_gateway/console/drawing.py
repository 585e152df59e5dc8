"""A plan as the console draws it. Pure."""

from msgspec import Struct

from headrace.graph.plan import ExecutionPlan, PlanNode
from headrace.graph.render import arrows


class Box(Struct, frozen=True):
    """A node."""

    name: str
    group: str
    kind: str
    takes: list[str]
    gives: list[str]
    key: str
    executor: str
    sends_anywhere: bool


class Line(Struct, frozen=True):
    """An arrow; an empty source is the entry, an empty target the end of the run."""

    source: str
    target: str
    types: tuple[str, ...]
    crosses: bool


class Drawing(Struct, frozen=True):
    """A pipe."""

    pipe: str
    version: str
    entry_type: str
    groups: dict[str, list[str]]
    nodes: list[Box]
    lines: list[Line]


def draw(plan: ExecutionPlan) -> Drawing:
    """Draw a plan."""
    return Drawing(
        plan.pipe,
        plan.version,
        plan.entry_type,
        {group: list(nodes) for group, nodes in plan.groups.items()},
        [_box(node) for node in plan.nodes.values()],
        [Line(arrow.source, arrow.target, arrow.types, arrow.crosses) for arrow in arrows(plan)],
    )


def _box(node: PlanNode) -> Box:
    takes, key = [slot.type_name for slot in node.slots], node.keyed.key if node.keyed is not None else ""
    return Box(node.name, node.group, node.kind, takes, list(node.outputs), key, node.executor, node.sends_anywhere)
