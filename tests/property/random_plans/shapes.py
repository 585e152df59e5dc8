"""A random pipe as it is described: nodes, what they take and give, and what their functions do.

What a node does is decided by its name and its messages alone, here, for the real pipe and for the interpreter alike.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal
from zlib import crc32

ATTEMPTS = 3
_FAILURES = (0, 0, 0, 0, 1, 1, 2, ATTEMPTS)  # how often a flaky node fails before it does not; the last one for good

Sent = tuple[int, int]  # a message: the number of its type, and its value
# What a call is given: by slot, a message, what it gathers, or nothing.
Taken = tuple[Sent | tuple[Sent, ...] | None, ...]


class BrokenError(Exception):
    """What a flaky node raises."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A message parameter that takes some types."""

    name: str
    kinds: tuple[int, ...]
    how: Literal["one", "first", "partial", "gather"] = "one"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node.

    Attributes:
        gives: The types that it may send.
        owner: The fan-out in whose scope it is called, of a gather the one that it closes; empty for the run's own.
        most: Of a fan-out, the most messages that it sends; None for a node that sends one.
        drops: It sends nothing for some messages.
        flaky: It fails for some messages, up to `ATTEMPTS` times.
        sleeps: It suspends itself for a moment first.
        waits: It suspends itself until the signal.
        keyed: The order of its lanes, where it has a key and keeps a tally of it.
    """

    name: str
    group: str
    slots: tuple[Slot, ...]
    gives: tuple[int, ...]
    owner: str = ""
    most: int | None = None
    drops: bool = False
    flaky: bool = False
    sleeps: bool = False
    waits: bool = False
    keyed: Literal["", "arrival", "ingress"] = ""
    max_visits: int | None = None

    @property
    def gathers(self) -> bool:
        return self.slots[0].how == "gather"

    @property
    def meets(self) -> bool:
        """Whether messages meet here: a join or a gather."""
        return len(self.slots) > 1 or self.slots[0].how != "one"


@dataclass(frozen=True)
class Plan:
    """A pipe: its nodes, each after those that send to it, but for the ways back of loops. Runs start from type 0."""

    nodes: tuple[Node, ...]

    @cached_property
    def takers(self) -> Mapping[int, tuple[tuple[Node, str], ...]]:
        """By type, who takes it, and in which slot."""
        return {
            kind: tuple((node, slot.name) for node in self.nodes for slot in node.slots if kind in slot.kinds)
            for kind in {0, *(kind for node in self.nodes for kind in node.gives)}
        }

    @cached_property
    def opened(self) -> frozenset[str]:
        """The fan-outs that are gathered."""
        return frozenset(node.owner for node in self.nodes if node.gathers)

    def before(self, kinds: tuple[int, ...]) -> frozenset[str]:
        """Give every node that a message of these types may descend from."""
        found: dict[str, Node] = {}
        ahead = list(kinds)
        while ahead:
            kind = ahead.pop()
            for node in self.nodes:
                if kind in node.gives and node.name not in found:
                    found[node.name] = node
                    ahead.extend(taken for slot in node.slots for taken in slot.kinds)
        return frozenset(found)


def decide(node: Node, taken: Taken, attempt: int) -> list[Sent]:
    """Do what a node's function does.

    Raises:
        BrokenError: This attempt fails.
    """
    chance = crc32(repr((node.name, taken)).encode())
    if node.flaky and attempt <= _FAILURES[chance % len(_FAILURES)]:
        raise BrokenError
    if node.drops and (chance >> 3) % 4 == 0:
        return []
    if node.most is None:
        return [_sent(node, chance)] if node.gives else []
    return [_sent(node, crc32(b"%d/%d" % (chance, position))) for position in range((chance >> 5) % (node.most + 1))]


def _sent(node: Node, chance: int) -> Sent:
    return node.gives[(chance >> 8) % len(node.gives)], chance & 0xFFFF
