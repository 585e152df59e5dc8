"""Routing by type: an output goes to every slot whose type is its class or a base of it. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from headrace.graph.message_types import type_name
from headrace.graph.mistakes import Mistake, MistakeKind, quoted
from headrace.graph.node import Node
from headrace.graph.plan import Route


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """Where everything goes.

    Attributes:
        routes: By node and by class of an output, where it goes.
        unknown: The nodes of which it cannot be said what they take or send, because of a mistake.
    """

    routes: Mapping[str, Mapping[type[Any], tuple[Route, ...]]]
    unknown: frozenset[str]
    mistakes: tuple[Mistake, ...]


def message_types(nodes: Iterable[Node], entry: type[Any] | None) -> dict[type[Any], Node | None]:
    """List every message type of the graph with the node that has it first; None for the entry type."""
    types: dict[type[Any], Node | None] = {} if entry is None else {entry: None}
    for node in nodes:
        for message_type in (*(each for slot in node.slots for each in slot.types), *node.outputs):
            types.setdefault(message_type, node)
    return types


def consumers_of(message_type: type[Any], nodes: Iterable[Node]) -> tuple[Route, ...]:
    """Give every slot that takes a type, in order of declaration."""
    return tuple(
        Route(node=node.name, slot=slot.name)
        for node in nodes
        for slot in node.slots
        if issubclass(message_type, slot.types)
    )


def route(nodes: Mapping[str, Node], types: Iterable[type[Any]]) -> Routing:
    """Route every output of every node; of the graph's types, a subclass of a declared output is routed as itself."""
    known_types = tuple(types)
    mistakes = {node.name: tuple(_target_mistakes(node, nodes)) for node in nodes.values()}
    return Routing(
        routes={node.name: _routes_of(node, nodes, known_types) for node in nodes.values()},
        unknown=frozenset(name for name, node in nodes.items() if node.signature.mistakes or mistakes[name]),
        mistakes=tuple(mistake for of_node in mistakes.values() for mistake in of_node),
    )


def parents_of(nodes: Mapping[str, Node], routing: Routing) -> dict[str, tuple[str, ...]]:
    """Give the nodes that can send to each node: by route, or by `To`, which may name any."""
    reached = {
        name: set(nodes)
        if node.signature.returns.sends_anywhere
        else {each.node for routes in routing.routes[name].values() for each in routes}
        for name, node in nodes.items()
    }
    return {child: tuple(name for name in nodes if child in reached[name]) for child in nodes}


def _routes_of(
    node: Node, nodes: Mapping[str, Node], types: Iterable[type[Any]]
) -> Mapping[type[Any], tuple[Route, ...]]:
    outputs = node.outputs
    sent = [each for each in types if issubclass(each, outputs)]
    if node.options.get("terminal"):
        return dict.fromkeys(sent, ())
    target = node.options.get("to")
    takers = [taker for taker in nodes.values() if target is None or taker.name == target]
    return {each: consumers_of(each, takers) for each in sent}


def _target_mistakes(node: Node, nodes: Mapping[str, Node]) -> Iterator[Mistake]:
    target = node.options.get("to")
    if not isinstance(target, str):
        return
    if target not in nodes:
        known = tuple(nodes)
        yield Mistake(kind=MistakeKind.UNKNOWN_TARGET, where=node.where, wrong=target, known=known)
    elif not nodes[target].signature.mistakes:
        takes = quoted(slot.type_name for slot in nodes[target].slots)
        for output in node.outputs:
            if not consumers_of(output, [nodes[target]]):
                facts = {"type": type_name(output), "target": target, "takes": takes}
                yield Mistake(kind=MistakeKind.UNROUTABLE_OUTPUT, where=node.where, facts=facts)
