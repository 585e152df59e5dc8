"""`/metrics`: what this process counts, for Prometheus. It stands beside the API; what leads outside leaves it out.

The metrics are those of `headrace.observe.metrics.catalog`.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial

from fastapi import APIRouter, Response

from headrace.errors import BusError
from headrace.ledger.values import Load
from headrace.observe.metrics import catalog
from headrace.observe.metrics.catalog import Sample
from headrace.observe.metrics.exposition import CONTENT_TYPE, Source, exposed
from headrace.observe.metrics.histogram import Histogram
from headrace_gateway.served import Served


class _Exposition(Response):
    media_type = CONTENT_TYPE


class RequestDurations:
    """How long requests took, by endpoint and status."""

    def __init__(self) -> None:
        self._durations: defaultdict[tuple[str, int], Histogram] = defaultdict(Histogram)

    def observe(self, endpoint: str, status: int, duration_s: float) -> None:
        """Count a request."""
        self._durations[endpoint, status].observe(duration_s)

    def samples(self) -> Iterator[Sample]:
        """Give what was counted."""
        for (endpoint, status), durations in self._durations.items():
            yield Sample(catalog.REQUEST_DURATION, (endpoint, str(status)), durations)


def metrics_router(served: Served, durations: RequestDurations, sources: Sequence[Source] = ()) -> APIRouter:
    """Make the route of metrics.

    Args:
        sources: Of what runs in this process beside the gateway.
    """
    router = APIRouter(tags=["health"])

    @router.get("/metrics", operation_id="metrics", summary="What is counted here?", response_class=_Exposition)
    async def metrics() -> _Exposition:
        loads = await _loads(served)
        return _Exposition(
            exposed(partial(_counts, served), partial(_runs, served, loads), durations.samples, *sources)
        )

    return router


async def _loads(served: Served) -> dict[str, Load]:
    """Ask how many runs are open; while the bus is away that is not known, and what is counted here still is."""
    try:
        return {pipe: await served.bus.load(pipe) for pipe in served.clients}
    except BusError:
        return {}


def _counts(served: Served) -> Iterator[Sample]:
    for endpoint, own in served.admission.slots.items():
        yield Sample(catalog.REQUESTS_UNDER_WAY, (endpoint,), own.taken)
        yield Sample(catalog.REQUESTS, (endpoint,), own.freed)
    for limit, count in served.admission.refused.items():
        yield Sample(catalog.REFUSED, (limit,), count)
    for outcome, count in sorted(served.waiters.counts.items()):
        yield Sample(catalog.WAITS, (outcome,), count)
    yield Sample(catalog.WAITERS, (), len(served.waiters))
    yield Sample(catalog.FOLLOWERS, (), len(served.followers))


def _runs(served: Served, loads: dict[str, Load]) -> Iterator[Sample]:
    for pipe, load in loads.items():
        yield Sample(catalog.OPEN_RUNS, (pipe,), load.open)
        yield Sample(catalog.MAX_RUNS, (pipe,), served.limits.max_runs)
