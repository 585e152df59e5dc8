"""How long a pod may take to end: what is under way is finished first, within the drain, and then committed. Pure."""

from math import ceil

from headrace.graph.plan import ExecutionPlan, PlanNode
from headrace.settings.services import ServiceSettings

LAST_COMMIT_S = 15  # over the drain: a commit that waits for a slow server (5 s, twice), and the end of the process
DRAIN_S: int = ceil(ServiceSettings.model_fields["drain_s"].default)


def drain_s(plan: ExecutionPlan, group: str) -> int:
    """Give the seconds in which any hop of a group can end: each of its nodes called as often as a hop may call it.

    A node without a time-out adds nothing, since no budget could hold for it; what a drain cuts off is done again.
    """
    return max(DRAIN_S, ceil(sum(_longest_s(plan.nodes[name]) for name in plan.groups[group])))


def _longest_s(node: PlanNode) -> float:
    return (node.timeout_s or 0.0) * (node.max_visits or 1)
