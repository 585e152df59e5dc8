"""Two runs beside each other: how they ended, how long they took, and where that comes from. Pure."""

from collections.abc import Iterable

from msgspec import Struct

from headrace.kernel.events import KernelEvent, RunFinished
from headrace.kernel.metrics import NodeMetrics
from headrace.ledger.values import RunState

_NONE = NodeMetrics()


class NodeComparison(Struct, frozen=True):
    """One node in both runs; a run that did not call it has 0 calls.

    Attributes:
        calls: In the first run, and in the second.
        failed: As `calls`.
        mean_s: Seconds of a call on average, as `calls`.
    """

    node: str
    calls: tuple[int, int]
    failed: tuple[int, int]
    mean_s: tuple[float, float]

    @property
    def differs(self) -> bool:
        """Whether the runs took other ways here, whatever the time."""
        return self.calls[0] != self.calls[1] or self.failed[0] != self.failed[1]


class RunComparison(Struct, frozen=True):
    """Two runs.

    Attributes:
        status: Of the first run, and of the second.
        duration_s: As `status`.
        has_same_result: Whether the results are equal.
        nodes: All that either called, in order of name.
    """

    status: tuple[RunState, RunState]
    duration_s: tuple[float, float]
    has_same_result: bool
    nodes: tuple[NodeComparison, ...]

    def text(self) -> str:
        """Write it as lines, nodes that took other ways marked with `*`."""
        same = "the same result" if self.has_same_result else "other results"
        lines = [
            f"{self.status[0]} in {_ms(self.duration_s[0])}, {self.status[1]} in {_ms(self.duration_s[1])}, {same}",
            *(
                f"{'*' if each.differs else ' '} {each.node}: calls {each.calls[0]}, {each.calls[1]}; "
                f"failed {each.failed[0]}, {each.failed[1]}; mean {_ms(each.mean_s[0])}, {_ms(each.mean_s[1])}"
                for each in self.nodes
            ),
        ]
        return "\n".join(lines) + "\n"


def compare(first: Iterable[KernelEvent], second: Iterable[KernelEvent]) -> RunComparison:
    """Compare two runs by their events.

    Raises:
        ValueError: One has no `RunFinished`.
    """
    one, other = _last(first), _last(second)
    names = sorted({*one.metrics.nodes, *other.metrics.nodes})
    return RunComparison(
        (one.status, other.status),
        (one.duration_s, other.duration_s),
        one.result == other.result,
        tuple(_node(name, one.metrics.nodes.get(name, _NONE), other.metrics.nodes.get(name, _NONE)) for name in names),
    )


def _node(name: str, one: NodeMetrics, other: NodeMetrics) -> NodeComparison:
    return NodeComparison(name, (one.calls, other.calls), (one.failed, other.failed), (one.mean_s, other.mean_s))


def _last(events: Iterable[KernelEvent]) -> RunFinished:
    for event in events:
        if isinstance(event, RunFinished):
            return event
    raise ValueError("the events have no RunFinished: the run is not over, or was observed by a worker")


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"
