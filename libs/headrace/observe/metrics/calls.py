"""Metrics of node calls and of hops, from what the kernel tells; where metrics are off nobody asks it to."""

from collections import Counter, defaultdict
from collections.abc import Generator, Iterator
from contextlib import contextmanager

from headrace.kernel.clock import Clock
from headrace.kernel.events import KernelEvent, NodeEnded, NodeFailed, Suspended
from headrace.kernel.work import Work
from headrace.ledger.values import Delivery
from headrace.observe.metrics import catalog
from headrace.observe.metrics.catalog import Sample
from headrace.observe.metrics.histogram import Histogram

_MS = 1000
_Place = tuple[str, str]  # group and node


class CallMetrics:
    """Observes the calls of a pipe's nodes: an observer of events, and a witness of hops.

    Args:
        clock: Deadlines go by it.
    """

    def __init__(self, pipe: str, clock: Clock) -> None:
        self._pipe = pipe
        self._clock = clock
        self._handler: defaultdict[_Place, Histogram] = defaultdict(Histogram)
        self._slack: defaultdict[str, Histogram] = defaultdict(Histogram)
        self._failed: Counter[tuple[str, str, str, str]] = Counter()
        self._retries: Counter[_Place] = Counter()
        self._suspended: Counter[_Place] = Counter()

    def __call__(self, event: KernelEvent) -> None:
        """Count an event."""
        place = (event.group, event.node)
        if isinstance(event, NodeEnded):
            self._handler[place].observe(event.duration_s)
        elif isinstance(event, NodeFailed):
            self._handler[place].observe(event.duration_s)
            self._failed[*place, event.failure.kind, event.failure.source] += 1
            self._retries[place] += event.retry_in_s is not None
        elif isinstance(event, Suspended):
            self._suspended[place] += 1

    @contextmanager
    def hop(self, work: Work, _delivery: Delivery) -> Generator[Work]:
        """Observe how much time a hop has left; as `kernel.witness.Witness` says."""
        if work.headers.deadline_ms:
            self._slack[work.node.group].observe(work.headers.deadline_ms / _MS - self._clock.now())
        yield work

    def samples(self) -> Iterator[Sample]:
        """Give what was counted; may be called from another thread."""
        pipe = self._pipe
        for place, durations in dict(self._handler).items():
            yield Sample(catalog.HANDLER, (pipe, *place), durations)
        for group, slack in dict(self._slack).items():
            yield Sample(catalog.SLACK, (pipe, group), slack)
        for labels, count in dict(self._failed).items():
            yield Sample(catalog.FAILED_CALLS, (pipe, *labels), count)
        for metric, counts in ((catalog.RETRIES, self._retries), (catalog.SUSPENSIONS, self._suspended)):
            for place, count in dict(counts).items():
                yield Sample(metric, (pipe, *place), count)
