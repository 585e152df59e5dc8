"""Samples as Prometheus reads them, and a port where it may: the one module that knows its client library."""

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager

from prometheus_client import CONTENT_TYPE_LATEST as CONTENT_TYPE
from prometheus_client import CollectorRegistry, Metric, ProcessCollector, generate_latest, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from headrace.errors import SettingsError
from headrace.observe.metrics import catalog
from headrace.observe.metrics.catalog import Kind, Sample
from headrace.observe.metrics.histogram import Histogram

Source = Callable[[], Iterable[Sample]]
"""Gives samples, in whatever thread it is asked."""

__all__ = ["CONTENT_TYPE", "exposed", "serving_metrics", "Source"]


class _Samples(Collector):
    """Asks sources when it is asked, so that counts cost nothing where they are made."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = tuple(sources)

    def collect(self) -> Iterable[Metric]:
        families: dict[str, Metric] = {}
        for source in self._sources:
            for sample in source():
                name = sample.metric.name
                _add(families.get(name) or families.setdefault(name, _family(sample.metric)), sample)
        return families.values()


def exposed(*sources: Source) -> bytes:
    """Give what sources say, in the text form of Prometheus, and of this process its memory, time and files."""
    return generate_latest(_registry(sources))


@asynccontextmanager
async def serving_metrics(host: str, port: int | None, *sources: Source) -> AsyncGenerator[str]:
    """Serve metrics over HTTP until the context closes, in a thread: a blocked event loop does not hide them.

    Args:
        port: 0 for a free one; None to serve nothing.

    Yields:
        The URL; empty for none.

    Raises:
        SettingsError: The address cannot be used.
    """
    if port is None:
        yield ""
        return
    try:
        server, thread = start_http_server(port, host, _registry(sources))
    except OSError as error:
        why = os.strerror(error.errno) if error.errno and error.errno > 0 else "the host is not known"
        raise SettingsError("metrics_port", f"{port} on host '{host}' cannot be listened on: {why}") from error

    def close() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    try:
        at = f"[{host}]" if ":" in host else host
        yield f"http://{at}:{server.server_port}/metrics"
    finally:
        await asyncio.to_thread(close)


def _registry(sources: Sequence[Source]) -> CollectorRegistry:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Samples(sources))
    ProcessCollector(registry=registry)
    return registry


def _family(metric: catalog.Metric) -> Metric:
    match metric.kind:
        case Kind.COUNTER:
            return CounterMetricFamily(metric.name, metric.says, labels=metric.labels)
        case Kind.GAUGE:
            return GaugeMetricFamily(metric.name, metric.says, labels=metric.labels)
        case Kind.HISTOGRAM:
            return HistogramMetricFamily(metric.name, metric.says, labels=metric.labels)


def _add(family: Metric, sample: Sample) -> None:
    value = sample.value
    if isinstance(family, HistogramMetricFamily) and isinstance(value, Histogram):
        family.add_metric(sample.values, buckets=value.buckets(), sum_value=value.total)
    elif isinstance(family, CounterMetricFamily | GaugeMetricFamily) and not isinstance(value, Histogram):
        family.add_metric(sample.values, value)
