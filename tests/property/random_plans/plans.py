"""Random plans: a pipe grows from its entry, step by step, at the ends that no node takes yet."""

from collections.abc import Callable
from typing import Any, Literal

from hypothesis import strategies as st
from tests.property.random_plans.shapes import Node, Plan, Slot

MOST_NODES = 12
GROUPS = ("a", "b", "c")
_STEPS = ("plain", "plain", "plain", "switch", "fork", "fan", "fan", "join", "join", "loop")
_HOW: st.SearchStrategy[Literal["one", "partial"]] = st.sampled_from(("one", "partial"))
_QUIRKS = (
    *("", "flaky", "flaky", "sleeps", "waits", "waits flaky", "drops", "drops", "drops flaky"),
    *("arrival", "arrival flaky", "ingress", "ingress flaky", "ingress sleeps"),
)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    growth = _Growth(draw, GROUPS[: draw(st.integers(1, len(GROUPS)))])
    ends = growth.grow([0], "", draw(st.integers(1, 6)))
    if not growth.nodes:
        ends = growth.plain(ends, "")
    if len(ends) > 1 and draw(st.integers(0, 3)):  # mostly one result a run, so that it is known beforehand
        ends = growth.join(ends, "", everything=True)
    for kind in ends[1:]:
        if draw(st.booleans()):
            growth.add((Slot("s0", (kind,)),), 0, "")
    return Plan(tuple(growth.nodes))


class _Growth:
    """A pipe that grows; each step takes some ends and gives those that there are then."""

    def __init__(self, draw: st.DrawFn, groups: tuple[str, ...]) -> None:
        self._draw = draw
        self._groups = groups
        self._kinds = 1
        self.nodes: list[Node] = []

    def grow(self, ends: list[int], owner: str, steps: int) -> list[int]:
        for _ in range(steps):
            if len(self.nodes) < MOST_NODES:
                step: Callable[[list[int], str], list[int]] = getattr(self, self._draw(st.sampled_from(_STEPS)))
                ends = step(ends, owner)
        return ends

    def plain(self, ends: list[int], owner: str) -> list[int]:
        end, others = self._one_of(ends)
        return [*others, *self.add((Slot("s0", (end,)),), 1, owner, **self._quirks())]

    def switch(self, ends: list[int], owner: str) -> list[int]:
        end, others = self._one_of(ends)
        return [*others, *self.add((Slot("s0", (end,)),), 2, owner, flaky=self._draw(st.booleans()))]

    def fork(self, ends: list[int], owner: str) -> list[int]:
        end, others = self._one_of(ends)
        first = self.add((Slot("s0", (end,)),), 1, owner, **self._quirks())
        return [*others, *first, *self.add((Slot("s0", (end,)),), 1, owner, **self._quirks())]

    def fan(self, ends: list[int], owner: str, *, in_loop: bool = False) -> list[int]:
        """Fan out, to a gather that closes it; outside of every scope now and then to none."""
        end, others = self._one_of(ends)
        most = 2 if owner else 5
        count = self._draw(st.integers(1, 2))
        sent = self.add((Slot("s0", (end,)),), count, owner, most=most, flaky=self._draw(st.booleans()))
        if not owner and not in_loop and self._draw(st.integers(0, 4)) == 0:
            return [*others, *sent]
        opener = self.nodes[-1].name
        inner = self.grow(sent, opener, self._draw(st.integers(0, 3)))
        taken, left = self._some_of(inner)
        gathered = self.add(self._gather_slots(taken), 1, opener, flaky=self._draw(st.booleans()))
        for kind in left:
            self.add((Slot("s0", (kind,)),), 0, opener, keyed=self._draw(st.sampled_from(("", "arrival"))))
        return [*others, *gathered]

    def join(self, ends: list[int], owner: str, *, everything: bool = False) -> list[int]:
        taken, left = (ends, []) if everything else self._some_of(ends)
        if len(taken) < 2:
            return ends
        slots = [Slot(f"s{number}", (kind,), self._draw(_HOW)) for number, kind in enumerate(taken)]
        together = self._draw(st.sampled_from((0, 0, 2, len(taken))))
        if together:
            slots[:together] = [Slot("s0", tuple(taken[:together]), "first")]
        return [*left, *self.add(tuple(slots), 1, owner, flaky=self._draw(st.booleans()))]

    def loop(self, ends: list[int], owner: str) -> list[int]:
        """Go round: a node to itself, or through others of which the last one sends back to the first."""
        end, others = self._one_of(ends)
        visits = self._draw(st.integers(1, 4))
        if self._draw(st.booleans()):
            (out,) = self.add((Slot("s0", (end,)),), 1, owner, back=end, max_visits=visits)
            return [*others, out]
        first = self.add((Slot("s0", (end,)),), 1, owner, max_visits=visits)
        inner = self.fan(first, owner, in_loop=True) if self._draw(st.booleans()) else self.plain(first, owner)
        return [*others, *inner[1:], *self.add((Slot("s0", (inner[0],)),), 1, owner, back=end)]

    def add(
        self, slots: tuple[Slot, ...], gives: int, owner: str, *, back: int | None = None, **quirks: Any
    ) -> list[int]:
        """Add a node; gives its new types."""
        new = list(range(self._kinds, self._kinds + gives))
        self._kinds += gives
        group = self._draw(st.sampled_from(self._groups))
        sent = tuple(new) if back is None else (back, *new)
        self.nodes.append(Node(name=f"n{len(self.nodes)}", group=group, slots=slots, gives=sent, owner=owner, **quirks))
        return new

    def _gather_slots(self, taken: list[int]) -> tuple[Slot, ...]:
        if self._draw(st.booleans()):
            return (Slot("s0", tuple(taken), "gather"),)
        return tuple(Slot(f"s{number}", (kind,), "gather") for number, kind in enumerate(taken))

    def _quirks(self) -> dict[str, Any]:
        quirks: dict[str, Any] = {}
        for quirk in self._draw(st.sampled_from(_QUIRKS)).split():
            quirks |= {"keyed": quirk} if quirk in ("arrival", "ingress") else {quirk: True}
        return quirks

    def _one_of(self, ends: list[int]) -> tuple[int, list[int]]:
        at = self._draw(st.integers(0, len(ends) - 1))
        return ends[at], ends[:at] + ends[at + 1 :]

    def _some_of(self, ends: list[int]) -> tuple[list[int], list[int]]:
        """Divide ends in those taken, at least one, and those left."""
        taken = self._draw(st.lists(st.sampled_from(ends), min_size=1, max_size=3, unique=True))
        return taken, [end for end in ends if end not in taken]
