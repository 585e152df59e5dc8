"""Which joins there are in a scope, and which of their slots a piece of work there may lead to. Pure.

The bus counts feeds: what an output carried when it was recorded, the item that comes of it must carry when it is
settled. So both sides ask here, by node and scope alone.
"""

from functools import lru_cache

from headrace.graph.plan import ExecutionPlan, PlanNode, SlotKind
from headrace.kernel.scopes import outer_scope
from headrace.ledger.values import Feed, Join

_MS = 1000
_CACHED = 1024  # pairs of node and scope: the run's own scope of all, and of a wide fan-out's the one being sent


class Feeds:
    """The joins of one plan."""

    def __init__(self, plan: ExecutionPlan) -> None:
        self._plan = plan
        self._feeds = lru_cache(_CACHED)(self._feeds_of)
        self.join = lru_cache(_CACHED)(self._join_of)
        self.are_divided = lru_cache(_CACHED)(self._are_divided)

    def of(self, node: PlanNode, scope: str) -> tuple[Feed, ...]:
        """Give the slots that a call of a node may lead to messages for.

        Args:
            scope: The scope that the call runs in; of a gather the one around what it gathers.
        """
        return self._feeds(node.name, scope) if node.reaches else ()

    def _feeds_of(self, name: str, scope: str) -> tuple[Feed, ...]:
        feeds: list[Feed] = []
        for reach in self._plan.nodes[name].reaches:
            reached = outer_scope(scope, reach.up)
            is_gather_of_root = not reached and self._plan.nodes[reach.node].gathers
            if reached is not None and not is_gather_of_root:
                feeds.append(Feed(self.join(reach.node, reached), reach.slot))
        return tuple(feeds)

    def _are_divided(self, name: str, scope: str, among: tuple[str, ...]) -> bool:
        """Tell whether some nodes together, called in the same scope, lead to what a node leads to, each of it once."""
        parts = [feed for each in among for feed in self.of(self._plan.nodes[each], scope)]
        whole = self.of(self._plan.nodes[name], scope)
        return len(parts) == len(whole) and set(parts) == set(whole)

    def _join_of(self, name: str, scope: str) -> Join:
        """Give the join or gather of a node in a scope; of a gather in the scope that it gathers."""
        node = self._plan.nodes[name]
        return Join(
            group=self._plan.stream(node.group),
            node=name,
            scope=scope,
            slots=tuple(slot.name for slot in node.slots),
            optional=tuple(slot.name for slot in node.slots if slot.kind is SlotKind.PARTIAL),
            gathers=node.gathers,
            timeout_ms=max(int(node.barrier_timeout_s * _MS), 1) if node.barrier_timeout_s else 0,
        )
