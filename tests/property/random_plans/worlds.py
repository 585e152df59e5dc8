"""What may come of one run of a described pipe, worked out one call after another, with nothing of Headrace in it.

Where the order of arrival decides, there are several worlds: one for every choice. In a world several events may still
be the first to end the run; but not one that has another behind it.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, permutations
from math import factorial

from tests.property.random_plans.shapes import ATTEMPTS, BrokenError, Node, Plan, Sent, Taken, decide

MOST_WORLDS = 64

Outcome = tuple[str, str, Sent | None]  # "completed" and a result; or the failure's kind and its node
EMPTY: Outcome = ("completed", "", None)


@dataclass(frozen=True, slots=True)
class Message:
    """A message on its way.

    Attributes:
        lineage: The places among the outputs of those that it descends from, since the run's start.
        visits: How often its descent has entered each node that bounds a loop.
        past: The endings that were recorded before anything takes it.
        hop: Those that are recorded together with what takes it, in the same group.
    """

    sent: Sent
    lineage: tuple[int, ...] = ()
    visits: tuple[tuple[str, int], ...] = ()
    past: frozenset[int] = frozenset()
    hop: frozenset[int] = frozenset()


@dataclass(slots=True)
class World:
    """What happens in one world.

    Attributes:
        endings: What may end the run, each with the endings before it.
        calls: The calls that come to their end when no failure stops the run.
        failures: Whether a call fails for good, or a join starves.
        waits: Whether a call waits for the signal.
    """

    endings: list[tuple[Outcome, frozenset[int]]] = field(default_factory=list[tuple[Outcome, frozenset[int]]])
    calls: Counter[tuple[str, Taken]] = field(default_factory=Counter[tuple[str, Taken]])
    failures: bool = False
    waits: bool = False

    @property
    def outcomes(self) -> set[Outcome]:
        return {outcome for outcome, past in self.endings if not past} or {EMPTY}

    @property
    def is_sure(self) -> bool:
        """Whether every call of it is made if the run completes."""
        return not self.failures and not (self.waits and self.endings)  # what waits is let go when a run has its answer

    def allows(self, calls: Counter[tuple[str, Taken]], outcome: Outcome | None) -> bool:
        """Tell whether a run may have come to this; None for the outcome of a run that was stopped from outside."""
        if outcome is not None and outcome not in self.outcomes:
            return False
        if outcome is not None and outcome[0] == "completed":
            return calls == self.calls if self.is_sure else self.failures or calls <= self.calls
        return calls <= self.calls


def worlds(plan: Plan, value: int) -> list[World] | None:
    """Give every world of a run; None where there are too many."""
    found: list[World] = []
    choices = _Choices()
    while choices.are_left:
        found.append(_Run(plan, choices).run(value))
        choices.advance()
        if len(found) > MOST_WORLDS:
            return None
    return found


class _Choices:
    """Goes through every way to choose, one after another."""

    def __init__(self) -> None:
        self._path: list[list[int]] = []
        self._at = 0
        self.are_left = True

    def choose(self, count: int) -> int:
        if count == 1:
            return 0
        if self._at == len(self._path):
            self._path.append([0, count])
        self._at += 1
        return self._path[self._at - 1][0]

    def advance(self) -> None:
        self._at = 0
        while self._path and self._path[-1][0] + 1 == self._path[-1][1]:
            self._path.pop()
        self.are_left = bool(self._path)
        if self._path:
            self._path[-1][0] += 1


class _Scope:
    """One scope of a run: what has come to its nodes, and what the calls in it left behind them."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.nodes = nodes
        self.inbox: defaultdict[tuple[str, str], list[Message]] = defaultdict(list)
        self.log: list[tuple[str, frozenset[int]]] = []


class _Run:
    def __init__(self, plan: Plan, choices: _Choices) -> None:
        self._plan = plan
        self._choose = choices.choose
        self._world = World()

    def run(self, value: int) -> World:
        root = _Scope([node for node in self._plan.nodes if not node.owner])
        self._send(root, None, [Message((0, value))])
        self._work(root, None)
        return self._world

    def _work(self, scope: _Scope, around: tuple[_Scope, Message] | None) -> None:
        """Call the nodes of a scope in order; what a loop sends back goes round before its followers are looked at."""
        at = 0
        while at < len(scope.nodes):
            node = scope.nodes[at]
            if node.gathers:
                assert around is not None
                self._gather(scope, node, *around)
            elif node.meets:
                self._join(scope, node)
            else:
                for message in scope.inbox.pop((node.name, node.slots[0].name), []):
                    self._call(scope, scope, node, (message.sent,), message)
            back = [place for place in range(at + 1) if self._has_mail(scope, scope.nodes[place])]
            at = min(back, default=at + 1)

    def _has_mail(self, scope: _Scope, node: Node) -> bool:
        return not node.meets and bool(scope.inbox.get((node.name, node.slots[0].name)))

    def _gather(self, scope: _Scope, node: Node, outer: _Scope, opening: Message) -> None:
        taken: list[tuple[Sent, ...]] = []
        visits = dict(opening.visits)
        kinds = tuple(kind for slot in node.slots for kind in slot.kinds)
        past = frozenset(opening.past | opening.hop | self._left_by(scope, kinds))
        for slot in node.slots:
            ordered = self._in_order(scope.inbox[node.name, slot.name])
            taken.append(tuple(message.sent for message in ordered))
            for name, count in (entered for message in ordered for entered in message.visits):
                visits[name] = max(visits.get(name, 0), count)
            past |= {ending for message in ordered for ending in message.past}
        headers = replace(opening, visits=tuple(sorted(visits.items())), past=past, hop=frozenset())
        self._call(scope, outer, node, tuple(taken), headers)

    def _in_order(self, messages: list[Message]) -> list[Message]:
        """Put messages in the order of their emission; two of one place stand in any order."""
        ordered: list[Message] = []
        for _, group in groupby(sorted(messages, key=lambda each: each.lineage), key=lambda each: each.lineage):
            tied = list(group)
            turn = self._choose(factorial(len(tied)))
            ordered.extend(next(order for number, order in enumerate(permutations(tied)) if number == turn))
        return ordered

    def _join(self, scope: _Scope, node: Node) -> None:
        come = {slot.name: scope.inbox[node.name, slot.name] for slot in node.slots}
        if not any(come.values()):
            return
        missing = [slot for slot in node.slots if not come[slot.name]]
        required = [slot for slot in missing if slot.how != "partial"]
        for slot in required:  # whichever is the first to be lost
            self._fail(scope, node, "join_starved", self._left_by(scope, slot.kinds))
        if required:
            return
        chosen = {name: messages[self._choose(len(messages))] for name, messages in come.items() if messages}
        first = chosen[next(slot.name for slot in node.slots if slot.name in chosen)]
        past = frozenset(ending for message in chosen.values() for ending in message.past)
        for slot in missing:
            past |= self._left_by(scope, slot.kinds)
        taken = tuple(chosen[slot.name].sent if slot.name in chosen else None for slot in node.slots)
        self._call(scope, scope, node, taken, replace(first, past=past, hop=frozenset()))

    def _left_by(self, scope: _Scope, kinds: tuple[int, ...]) -> frozenset[int]:
        """Give the endings of all that had to be over before nothing of these types could come any more."""
        before = self._plan.before(kinds)
        return frozenset(ending for name, endings in scope.log if name in before for ending in endings)

    def _call(self, scope: _Scope, outer: _Scope, node: Node, taken: Taken, headers: Message) -> None:
        """Call a node; `outer` is the scope that it sends into."""
        if node.waits or node.sleeps:
            headers = replace(headers, past=headers.past | headers.hop, hop=frozenset())
        self._world.waits |= node.waits
        for attempt in range(1, ATTEMPTS + 1):
            try:
                sent = decide(node, taken, attempt)
                break
            except BrokenError:
                if attempt == ATTEMPTS:
                    self._fail(scope, node, "step", headers.past)
                    return
                headers = replace(headers, past=headers.past | headers.hop, hop=frozenset())
        made = [replace(headers, sent=each, lineage=(*headers.lineage, place)) for place, each in enumerate(sent)]
        if any(self._is_over(message, taker) for message in made for taker, _ in self._plan.takers[message.sent[0]]):
            self._fail(scope, node, "step", headers.past)
            return
        self._world.calls[node.name, taken] += 1
        hop = headers.hop | self._ends(
            [each.sent for each in made if not self._plan.takers[each.sent[0]]], headers.past
        )
        made = [replace(message, hop=hop) for message in made]
        scope.log.append((node.name, headers.past | hop))
        if node.name in self._plan.opened:
            inner = _Scope([other for other in self._plan.nodes if other.owner == node.name])
            self._send(inner, node, made)
            self._work(inner, (outer, replace(headers, hop=hop)))
            scope.log.extend(inner.log)
        else:
            self._send(outer, node, made)

    def _send(self, scope: _Scope, node: Node | None, messages: list[Message]) -> None:
        for message in messages:
            for taker, slot in self._plan.takers[message.sent[0]]:
                sent = message
                if node is None or taker.group != node.group or taker.meets or taker.keyed:  # over the bus
                    sent = replace(sent, past=sent.past | sent.hop, hop=frozenset())
                scope.inbox[taker.name, slot].append(replace(sent, visits=_entered(message, taker)))

    def _is_over(self, message: Message, taker: Node) -> bool:
        return taker.max_visits is not None and dict(_entered(message, taker))[taker.name] > taker.max_visits

    def _ends(self, results: list[Sent], past: frozenset[int]) -> frozenset[int]:
        """Note the results of one call; only the first of them may end the run."""
        made: frozenset[int] = frozenset()
        for result in results:
            self._world.endings.append((("completed", "", result), past | made))
            made |= {len(self._world.endings) - 1}
        return made

    def _fail(self, scope: _Scope, node: Node, kind: str, past: frozenset[int]) -> None:
        self._world.failures = True
        self._world.endings.append(((kind, node.name, None), past))
        scope.log.append((node.name, past | {len(self._world.endings) - 1}))


def _entered(message: Message, taker: Node) -> tuple[tuple[str, int], ...]:
    if taker.max_visits is None:
        return message.visits
    visits = dict(message.visits)
    visits[taker.name] = visits.get(taker.name, 0) + 1
    return tuple(sorted(visits.items()))
