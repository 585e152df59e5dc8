"""What a placed plan says about who writes where: the edges between groups, with what they cost beside a message. Pure.

A commit of a group may write to another one for four reasons: an output goes to a node there; it completes a join or a
gather there, with its own message or by ending a branch that the join was waiting for; it begins the wait of such a
join, whose alarm lies in its group's schedule; or it ends the run, which gives back tickets that the run has not used,
so that their lanes move on.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from headrace.graph.plan import ExecutionPlan, PlanNode


@dataclass(frozen=True, slots=True, kw_only=True)
class Edges:
    """Where a group, or whoever starts runs, may write.

    Attributes:
        appends: Groups whose streams it appends to, in the order of the plan.
        lanes: Keyed nodes whose lanes it may queue in, run from, or let move on, in the order of the plan.
        alarms: Groups in whose schedules it sets the alarms of joins.
        may_end_any: Whether `lanes` has all that ending any run of the pipe may let move on.
    """

    appends: tuple[str, ...]
    lanes: tuple[str, ...]
    alarms: tuple[str, ...]
    may_end_any: bool


def edges_of(plan: ExecutionPlan, group: str) -> Edges:
    """Give where a group's workers write, their own group included."""
    own = [plan.nodes[name] for name in plan.groups[group]]
    opened = _opened(plan, plan.groups[group])
    met = {reach.node for node in own for reach in node.reaches}
    sent = _children(plan, plan.groups[group])
    ticketed = {name for name in _ticketed(plan) if not _always_before(plan, name, plan.groups[group])}
    keyed = {node.name for node in own if node.keyed}
    return _edges(
        plan, sent=sent | met | opened, begun=sent | opened, lanes=ticketed | keyed, also=(group,), ticketed=ticketed
    )


def ingress_edges(plan: ExecutionPlan) -> Edges:
    """Give where whoever starts, signals and cancels runs writes."""
    entries = {route.node for route in plan.entry}
    ticketed = set(_ticketed(plan))
    signalled = [node.group for node in plan.nodes.values() if node.signals]
    return _edges(plan, sent=entries, begun=entries, lanes=ticketed, also=signalled, ticketed=ticketed)


def _edges(
    plan: ExecutionPlan, *, sent: set[str], begun: set[str], lanes: set[str], also: Iterable[str], ticketed: set[str]
) -> Edges:
    lanes = lanes | {name for name in sent if plan.nodes[name].keyed}
    groups = {*(plan.nodes[name].group for name in sent | lanes), *also}
    alarms = {plan.nodes[name].group for name in begun if plan.nodes[name].barrier_timeout_s}
    return Edges(
        appends=tuple(group for group in plan.groups if group in groups),
        lanes=tuple(name for name in plan.nodes if name in lanes),
        alarms=tuple(group for group in plan.groups if group in alarms),
        may_end_any=ticketed == set(_ticketed(plan)),
    )


def _ticketed(plan: ExecutionPlan) -> Mapping[str, PlanNode]:
    """Give the nodes in whose lanes runs take tickets at ingress."""
    return {name: node for name, node in plan.nodes.items() if node.keyed and node.keyed.order == "ingress"}


def _always_before(plan: ExecutionPlan, ticketed: str, nodes: Iterable[str]) -> bool:
    """Tell whether every way to some nodes leads through a keyed one, so that its ticket is used when they run.

    A gather of nothing is called at once by what opens it, whatever lies between them.
    """
    come: set[str] = set()
    ahead = {route.node for route in plan.entry}
    while ahead:
        come |= ahead
        passed = ahead - {ticketed}
        ahead = (_children(plan, passed) | _opened(plan, passed)) - come
    return come.isdisjoint(set(nodes))


def _opened(plan: ExecutionPlan, names: Iterable[str]) -> set[str]:
    return {gather for name in names for gather in plan.nodes[name].opens}


def _children(plan: ExecutionPlan, names: Iterable[str]) -> set[str]:
    senders = set(names)
    return {name for name, parents in plan.parents.items() if not senders.isdisjoint(parents)}
