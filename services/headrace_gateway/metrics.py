"""`/metrics`: what this process counts, for Prometheus. It stands beside the API; what leads outside leaves it out.

| metric | labels | counts |
| --- | --- | --- |
| `headrace_gateway_requests_under_way` | endpoint | requests under way |
| `headrace_gateway_requests_total` | endpoint | requests that have been dealt with |
| `headrace_gateway_refused_total` | limit | requests that a limit refused |
| `headrace_gateway_waiters` | | waits for runs under way |
| `headrace_gateway_followers` | | runs followed, once for each who follows |
| `headrace_gateway_waits_total` | outcome | how waits ended, and terminals that came without one |
"""

from collections.abc import Iterable

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from headrace_gateway.served import Served


class _Exposition(Response):
    media_type = CONTENT_TYPE_LATEST


class _Counts(Collector):
    """Reads the counts when they are asked for, so that they cost nothing where they are made."""

    def __init__(self, served: Served) -> None:
        self._served = served

    def collect(self) -> Iterable[Metric]:
        admission, waiters = self._served.admission, self._served.waiters
        slots = admission.slots
        under_way = GaugeMetricFamily("headrace_gateway_requests_under_way", "Requests under way.", labels=["endpoint"])
        dealt = CounterMetricFamily("headrace_gateway_requests", "Requests dealt with.", labels=["endpoint"])
        for endpoint, own in slots.items():
            under_way.add_metric([endpoint], own.taken)
            dealt.add_metric([endpoint], own.freed)
        refused = CounterMetricFamily("headrace_gateway_refused", "Requests that a limit refused.", labels=["limit"])
        for limit, count in admission.refused.items():
            refused.add_metric([limit], count)
        waits = CounterMetricFamily("headrace_gateway_waits", "How waits for runs ended.", labels=["outcome"])
        for outcome, count in sorted(waiters.counts.items()):
            waits.add_metric([outcome], count)
        waiting = GaugeMetricFamily("headrace_gateway_waiters", "Waits for runs under way.", value=len(waiters))
        following = len(self._served.followers)
        followed = GaugeMetricFamily("headrace_gateway_followers", "Who follows a run.", value=following)
        return under_way, dealt, refused, waiting, followed, waits


def metrics_router(served: Served) -> APIRouter:
    """Make the route of metrics."""
    router = APIRouter(tags=["health"])
    registry = CollectorRegistry()
    registry.register(_Counts(served))

    @router.get("/metrics", operation_id="metrics", summary="What is counted here?", response_class=_Exposition)
    async def metrics() -> _Exposition:
        return _Exposition(generate_latest(registry))

    return router
