"""Metrics of one run: what its last event carries."""

from msgspec import Struct


class NodeMetrics(Struct):
    """Calls of one node.

    Attributes:
        failed: How many of them failed.
        total_s: Seconds spent in them, summed up; calls beside each other count each.
        longest_s: Of one call.
    """

    calls: int = 0
    failed: int = 0
    total_s: float = 0.0
    longest_s: float = 0.0

    @property
    def mean_s(self) -> float:
        """Seconds of a call on average."""
        return self.total_s / self.calls if self.calls else 0.0

    def add(self, duration_s: float) -> None:
        """Count a call."""
        self.calls += 1
        self.total_s += duration_s
        if duration_s > self.longest_s:  # noqa: PLR1730 - a fifth of what `max` costs
            self.longest_s = duration_s


class RunMetrics(Struct):
    """A run in numbers.

    Attributes:
        nodes: By node.
        longest_queue: The most pieces of work that were ready and waited for their turn.
        tasks: Tasks that worked, one after the other on many calls.
        joins: Joins that fired.
        fan_outs: Series that were sent.
        fan_out_items: Messages of these.
    """

    nodes: dict[str, NodeMetrics] = {}
    longest_queue: int = 0
    tasks: int = 0
    joins: int = 0
    fan_outs: int = 0
    fan_out_items: int = 0
