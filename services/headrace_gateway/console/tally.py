"""An observer that counts calls by node and remembers the newest runs, where nodes run in the gateway's own process."""

from collections import Counter

from headrace.kernel.events import KernelEvent, NodeEnded, NodeFailed, NodeStarted
from headrace_gateway.console.sight import CallsNow

_MOST_RUNS = 1000


class Tally:
    """Counts; told of events in the thread where nodes run, and read in the event loop's: each step of it is one.

    Attributes:
        has_forgotten: Whether there were more runs than it remembers.
    """

    def __init__(self) -> None:
        self._ended: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._runs: dict[str, None] = {}
        self.has_forgotten = False

    def __call__(self, event: KernelEvent) -> None:
        """Take an event in."""
        match event:
            case NodeStarted():
                self._remember(event.trace_id)
            case NodeEnded():
                self._ended[event.node] += 1
            case NodeFailed():
                self._failed[event.node] += 1
            case _:
                pass

    def calls_of(self, node: str) -> CallsNow:
        """Give the calls of a node."""
        return CallsNow(self._ended[node], self._failed[node])

    @property
    def traces(self) -> tuple[str, ...]:
        """The newest runs, oldest first."""
        return tuple(self._runs.copy())

    def _remember(self, trace_id: str) -> None:
        self._runs[trace_id] = None
        if len(self._runs) > _MOST_RUNS:
            del self._runs[next(iter(self._runs))]
            self.has_forgotten = True
