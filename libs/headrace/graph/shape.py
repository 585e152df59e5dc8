"""The shape of the graph: its entry, what the entry reaches, joins that starve, cycles without bound. Pure."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from headrace.graph.message_types import type_name
from headrace.graph.mistakes import Mistake, MistakeKind, Where, quoted
from headrace.graph.node import Node
from headrace.graph.parameters import Parameter
from headrace.graph.plan import Route, SlotKind
from headrace.graph.routing import Consumers, Routing


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What a run starts from; None where it cannot be said."""

    type: type[Any] | None
    mistakes: tuple[Mistake, ...] = ()


def find_entry(nodes: Mapping[str, Node], routing: Routing, where: Where) -> Entry:
    """Find the one type that nodes take and no node sends."""
    fed = _fed(routing)
    unfed = [slot for node in nodes.values() for slot in node.slots if Route(node=node.name, slot=slot.name) not in fed]
    open_types = dict.fromkeys(each for slot in unfed for each in slot.types) or _unsent(nodes, routing)
    if len(open_types) == 1:
        return Entry(type=next(iter(open_types)))
    if routing.unknown or not nodes:
        return Entry(type=None)  # the mistake there explains what is missing here
    if not open_types:
        return Entry(type=None, mistakes=(Mistake(kind=MistakeKind.NO_ENTRY, where=where),))
    facts = {"types": quoted(map(type_name, open_types))}
    return Entry(type=None, mistakes=(Mistake(kind=MistakeKind.AMBIGUOUS_ENTRY, where=where, facts=facts),))


def reach_mistakes(nodes: Mapping[str, Node], routing: Routing, entry: type[Any], where: Where) -> Iterator[Mistake]:
    """Find what the entry type cannot reach, and joins of which a slot stays empty for ever."""
    started = Consumers(nodes.values()).of(entry)
    if not started:
        taken = (each for node in nodes.values() for slot in node.slots for each in slot.types)
        known = tuple(dict.fromkeys(map(type_name, taken)))
        yield Mistake(kind=MistakeKind.UNCONSUMED_ENTRY, where=where, wrong=type_name(entry), known=known)
        return
    reach = _Reach(nodes, routing, started)
    while (join := reach.stuck_join()) is not None:
        for slot in join.slots:
            if _is_needed(slot) and not reach.has_come(join.name, slot.name):
                facts = {"slot": slot.name, "type": slot.type_name}
                yield Mistake(kind=MistakeKind.UNFED_JOIN, where=join.where, facts=facts)
        reach.feed(join)  # as if repaired, so that the nodes behind it are not reported for its sake
    for node in nodes.values():
        if node.name not in reach.fired:
            facts = {"entry": type_name(entry), "takes": quoted(slot.type_name for slot in node.slots)}
            yield Mistake(kind=MistakeKind.UNREACHABLE_NODE, where=node.where, facts=facts)
            continue
        for slot in node.slots:
            if not reach.has_come(node.name, slot.name):
                facts = {"slot": slot.name, "type": slot.type_name}
                yield Mistake(kind=MistakeKind.EMPTY_SLOT, where=node.where, facts=facts)


def cycle_mistakes(nodes: Mapping[str, Node], routing: Routing) -> Iterator[Mistake]:
    """Find cycles of which no node has `max_visits`; one for each knot of cycles that share nodes.

    Cycles through `To` are not seen: their targets are known only when they are sent.
    """
    unbounded = [name for name, node in nodes.items() if node.options.get("max_visits") is None]
    steps = {
        name: dict.fromkeys(each.node for routes in routing.routes[name].values() for each in routes)
        for name in unbounded
    }
    if not _has_cycle(steps):
        return
    reported: set[str] = set()
    for name in unbounded:
        if name in reported:
            continue
        came_from = _walk(name, steps)
        if name in came_from:
            reported.update(other for other in came_from if name in _walk(other, steps))
            facts = {"path": " -> ".join(_path_back(name, came_from))}
            yield Mistake(kind=MistakeKind.UNBOUNDED_CYCLE, where=nodes[name].where, facts=facts)


class _Reach:
    """Which slots are fed and which nodes can fire, from a given start; a join fires when all it needs is fed."""

    def __init__(self, nodes: Mapping[str, Node], routing: Routing, started: Iterable[Route]) -> None:
        self._nodes = nodes
        self._routing = routing
        self._fed = _fed(routing) | set(started)
        self._sends_anywhere = any(node.signature.returns.sends_anywhere for node in nodes.values())
        self._come = set(started)
        self.fired: set[str] = set()
        self._spread()

    def has_come(self, node: str, slot: str) -> bool:
        return Route(node=node, slot=slot) in self._come

    def feed(self, node: Node) -> None:
        self._come.update(_slots(node))
        self._spread()

    def stuck_join(self) -> Node | None:
        """Give a join that waits for ever: first one that nobody feeds, then one that is fed from behind itself."""
        joins = [node for node in self._nodes.values() if node.name not in self.fired and len(node.slots) > 1]
        starved = [node for node in joins if not self._sends_anywhere and not _needed(node) <= self._fed]
        half_fed = [node for node in joins if _slots(node) & self._come]
        return next(iter((*starved, *half_fed)), None)

    def _spread(self) -> None:
        before = -1
        while before != len(self.fired):
            before = len(self.fired)
            for name, node in self._nodes.items():
                if name not in self.fired and _needed(node) <= self._come and _slots(node) & self._come:
                    self.fired.add(name)
                    self._come.update(self._sent(node))

    def _sent(self, node: Node) -> Iterator[Route]:
        for routes in self._routing.routes[node.name].values():
            yield from routes
        if node.signature.returns.sends_anywhere:
            for other in self._nodes.values():
                yield from _slots(other)


def _slots(node: Node) -> set[Route]:
    return {Route(node=node.name, slot=slot.name) for slot in node.slots}


def _needed(node: Node) -> set[Route]:
    return {Route(node=node.name, slot=slot.name) for slot in node.slots if _is_needed(slot)}


def _is_needed(slot: Parameter) -> bool:
    return slot.kind in (SlotKind.ONE, SlotKind.FIRST)


def _unsent(nodes: Mapping[str, Node], routing: Routing) -> dict[type[Any], None]:
    """Give the types that no node sends, of slots of several types that another of them comes to."""
    sent = {each for routes in routing.routes.values() for each, goes_to in routes.items() if goes_to}
    several = (slot for node in nodes.values() for slot in node.slots if len(slot.types) > 1)
    return {each: None for slot in several for each in slot.types if not any(issubclass(other, each) for other in sent)}


def _fed(routing: Routing) -> set[Route]:
    return {each for of_node in routing.routes.values() for routes in of_node.values() for each in routes}


def _has_cycle(steps: Mapping[str, Iterable[str]]) -> bool:
    try:
        TopologicalSorter(steps).prepare()
    except CycleError:
        return True
    return False


def _walk(start: str, steps: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """Walk the shortest ways from a node: by node reached, the one before it. The start is in it only if reached."""
    came_from: dict[str, str] = {}
    ahead = deque([start])
    while ahead:
        node = ahead.popleft()
        for following in steps[node]:
            if following in steps and following not in came_from:
                came_from[following] = node
                ahead.append(following)
    return came_from


def _path_back(start: str, came_from: Mapping[str, str]) -> list[str]:
    path = [start]
    while len(path) == 1 or path[-1] != start:
        path.append(came_from[path[-1]])
    return path[::-1]
