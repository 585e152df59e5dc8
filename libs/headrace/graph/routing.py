"""Routing by type: an output goes to every slot whose type is its class or a base of it. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
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


class Consumers:
    """The slots of some nodes, by what they take."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self._slots: defaultdict[type[Any], dict[int, Route]] = defaultdict(dict)
        slots = ((node, slot) for node in nodes for slot in node.slots)
        for place, (node, slot) in enumerate(slots):
            for each in slot.types:
                self._slots[each][place] = Route(node=node.name, slot=slot.name)

    def of(self, message_type: type[Any]) -> tuple[Route, ...]:
        """Give every slot that takes a type, or a base of it, in order of declaration."""
        found = {
            place: slot
            for base in message_type.__mro__
            if base in self._slots
            for place, slot in self._slots[base].items()
        }
        return tuple(found[place] for place in sorted(found))


def route(nodes: Mapping[str, Node], types: Iterable[type[Any]]) -> Routing:
    """Route every output of every node; of the graph's types, a subclass of a declared output is routed as itself."""
    consumers, kinds = Consumers(nodes.values()), _kinds(types)
    mistakes = {node.name: tuple(_target_mistakes(node, nodes)) for node in nodes.values()}
    return Routing(
        routes={node.name: _routes_of(node, nodes, consumers, kinds) for node in nodes.values()},
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
    parents: dict[str, list[str]] = {child: [] for child in nodes}
    for name in nodes:
        for child in reached[name]:
            parents[child].append(name)
    return {child: tuple(names) for child, names in parents.items()}


def _kinds(types: Iterable[type[Any]]) -> Mapping[type[Any], Sequence[type[Any]]]:
    """Give of each type, or base of one, those among the types that are of it, in order."""
    kinds: defaultdict[type[Any], list[type[Any]]] = defaultdict(list)
    for each in types:
        for base in each.__mro__:
            kinds[base].append(each)
    return kinds


def _routes_of(
    node: Node, nodes: Mapping[str, Node], consumers: Consumers, kinds: Mapping[type[Any], Sequence[type[Any]]]
) -> Mapping[type[Any], tuple[Route, ...]]:
    sent = dict.fromkeys(each for output in node.outputs for each in kinds[output])
    if node.options.get("terminal"):
        return dict.fromkeys(sent, ())
    target = node.options.get("to")
    takers = consumers if target is None else Consumers([nodes[target]] if target in nodes else [])
    return {each: takers.of(each) for each in sent}


def _target_mistakes(node: Node, nodes: Mapping[str, Node]) -> Iterator[Mistake]:
    target = node.options.get("to")
    if not isinstance(target, str):
        return
    if target not in nodes:
        known = tuple(nodes)
        yield Mistake(kind=MistakeKind.UNKNOWN_TARGET, where=node.where, wrong=target, known=known)
    elif not nodes[target].signature.mistakes:
        takes = quoted(slot.type_name for slot in nodes[target].slots)
        consumers = Consumers([nodes[target]])
        for output in node.outputs:
            if not consumers.of(output):
                facts = {"type": type_name(output), "target": target, "takes": takes}
                yield Mistake(kind=MistakeKind.UNROUTABLE_OUTPUT, where=node.where, facts=facts)
