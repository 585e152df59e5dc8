"""Scopes: where fan-outs open them, where gathers close them, and which joins a message may lead to. Pure.

A scope is the set of messages that descend from one call. A node that fans out to a gather opens one: its outputs are
in a child of the scope it runs in. The gather waits for all of that child and sends into the parent. So a path through
the graph is a bracket sequence: an opener is `(`, a gather is `)`; a node that fans out to no gather is neither.

What comes where within one scope is found by walking through its nodes, with each bracketed part taken as one step,
from its opener to the gathers that close it. Which gathers those are follows from the same walk inside of the opened
scope; so it is repeated, innermost brackets first, until it finds no more. Loops need no bound for that.

Outside of a scope there is its parent, and what a scope's gathers send goes on there: one `up` in a `Reach`. A scope
that is opened on the way is not open yet when the message is looked at, so its joins are not in `reaches`: the hop that
opens it counts for them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from headrace.graph.node import Node
from headrace.graph.plan import Reach, Route
from headrace.graph.routing import Routing

Opens = Mapping[str, tuple[str, ...]]

# By the nodes that are called in a scope, the slots of joins that messages come to there, and the gathers among these.
_ScopeOf = Callable[[tuple[str, ...]], tuple[list[Route], tuple[str, ...]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """Where messages can go.

    Attributes:
        edges: By node, every slot that its outputs may go to.
        series: Nodes that fan out.
        joins: Nodes where messages meet, gathers included.
    """

    edges: Mapping[str, tuple[Route, ...]]
    series: frozenset[str]
    joins: frozenset[str]
    gathers: frozenset[str]


def flow_of(nodes: Mapping[str, Node], routing: Routing, *, anywhere: bool) -> Flow:
    """Read the flow of a routed pipe.

    Args:
        anywhere: Let nodes that return `To` send to every slot, not just by type.
    """
    every = tuple(Route(node=node.name, slot=slot.name) for node in nodes.values() for slot in node.slots)
    return Flow(
        edges={
            name: every
            if anywhere and node.signature.returns.sends_anywhere
            else tuple(dict.fromkeys(each for routes in routing.routes[name].values() for each in routes))
            for name, node in nodes.items()
        },
        series=frozenset(name for name, node in nodes.items() if node.signature.returns.is_series),
        joins=frozenset(name for name, node in nodes.items() if node.is_join),
        gathers=frozenset(name for name, node in nodes.items() if node.gathers),
    )


def opens_of(flow: Flow) -> Opens:
    """Give, by node that opens scopes, the gathers that close them."""
    opens: Opens = {name: () for name in flow.edges if name in flow.series}
    while True:
        found = {name: _gathers(flow, arrivals(flow, opens, flow.edges[name])) for name in opens}
        if found == opens:
            return {name: gathers for name, gathers in opens.items() if gathers}
        opens = found


def arrivals(flow: Flow, opens: Opens, sent: Iterable[Route]) -> set[Route]:
    """Give every slot that messages come to within one scope, where some have been sent to these slots in it."""
    come: set[Route] = set()
    ahead = list(sent)
    while ahead:
        route = ahead.pop()
        if route not in come:
            come.add(route)
            if route.node not in flow.gathers:  # what a gather sends is in the parent
                ahead.extend(_sent(flow, opens, route.node))
    return come


def reaches_of(flow: Flow, opens: Opens) -> dict[str, tuple[Reach, ...]]:
    """Give, by node, the slots of joins that a message there may lead to a message for, near scopes first.

    A join's own slots in its own scope are not among them, even around a loop: it fires once a scope, and while it
    waits it must not count as work that may yet fill its slots.
    """
    if not flow.joins:
        return dict.fromkeys(flow.edges, ())

    @cache
    def scope_of(called: tuple[str, ...]) -> tuple[list[Route], tuple[str, ...]]:
        come = arrivals(flow, opens, (route for name in called for route in _sent(flow, opens, name)))
        met = sorted((route for route in come if route.node in flow.joins), key=lambda it: (it.node, it.slot))
        return met, _gathers(flow, come)

    return {name: tuple(_reaches(flow, name, scope_of, depth=len(opens))) for name in flow.edges}


def _reaches(flow: Flow, name: str, scope_of: _ScopeOf, *, depth: int) -> Iterator[Reach]:
    called: tuple[str, ...] = (name,)
    # Openers within themselves may nest deeper than there are openers; but each open gather is work of its own, which
    # counts for those around it, so no join there is forgotten.
    for up in range(depth + 1):
        met, gathers = scope_of(called)
        for route in met:
            if up or route.node != name or name in flow.gathers:
                yield Reach(node=route.node, slot=route.slot, up=up)
        called = gathers
        if not called:
            return


def _sent(flow: Flow, opens: Opens, name: str) -> list[Route]:
    """Give what a call of a node sends to in the node's own scope, if need be through the scopes that it opens."""
    sent: list[Route] = []
    called: set[str] = set()
    ahead = [name]
    while ahead:
        each = ahead.pop()
        if each in called:
            continue
        called.add(each)
        if each in opens:
            ahead.extend(opens[each])
        else:
            sent.extend(flow.edges[each])
    return sent


def _gathers(flow: Flow, come: set[Route]) -> tuple[str, ...]:
    nodes = {route.node for route in come}
    return tuple(name for name in flow.edges if name in flow.gathers and name in nodes)
