"""What can be wrong with scopes: a gather that nothing fans out to, and messages of a join that never meet. Pure.

Targets of `To` are known only when it is sent. So a gather is not reported because a `To` could name it, and a join is
not where a `To` could bring its messages together.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from headrace.graph.mistakes import Mistake, MistakeKind
from headrace.graph.node import Node
from headrace.graph.plan import Route
from headrace.graph.routing import Consumers, Routing
from headrace.graph.scopes import Flow, Opens, arrivals, flow_of

_ROOT = ""


def scope_mistakes(
    nodes: Mapping[str, Node], routing: Routing, flow: Flow, opens: Opens, entry: type[Any]
) -> Iterator[Mistake]:
    """Find gathers outside of every fan-out, and joins of which no scope sees all slots.

    What comes where in a scope depends on nothing but the node that opens it, so there are as many kinds of scopes as
    openers, and the run's own.
    """
    started = Consumers(nodes.values()).of(entry)
    outside = arrivals(flow_of(nodes, routing, anywhere=False), opens, started)
    scopes = {_ROOT: arrivals(flow, opens, started)}
    scopes |= {name: arrivals(flow, opens, flow.edges[name]) for name in opens}
    for node in nodes.values():
        if node.gathers:
            yield from _without_fan_out(node, outside)
        elif node.is_join:
            yield from _across_scopes(node, scopes)


def _without_fan_out(node: Node, outside: set[Route]) -> Iterator[Mistake]:
    for slot in node.slots:
        if Route(node=node.name, slot=slot.name) in outside:
            facts = {"slot": slot.name, "type": slot.type_name}
            yield Mistake(kind=MistakeKind.GATHER_WITHOUT_FAN_OUT, where=node.where, facts=facts)


def _across_scopes(node: Node, scopes: Mapping[str, set[Route]]) -> Iterator[Mistake]:
    seen = {
        slot.name: [scope for scope, come in scopes.items() if Route(node=node.name, slot=slot.name) in come]
        for slot in node.slots
    }
    in_all = set(scopes).intersection(*seen.values())
    if not in_all and all(seen.values()):  # a slot that nothing comes to is reported as such
        apart = ", ".join(f"'{slot}' comes {_spoken(found[0])}" for slot, found in seen.items())
        yield Mistake(kind=MistakeKind.JOIN_ACROSS_SCOPES, where=node.where, facts={"apart": apart})


def _spoken(scope: str) -> str:
    return f"in the fan-out of '{scope}'" if scope else "outside of it"
