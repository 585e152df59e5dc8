"""Metrics: what is counted, how it reads, and where it is served."""

import re
from collections.abc import Iterable

import httpx
import pytest
from msgspec import Struct
from prometheus_client.parser import text_string_to_metric_families

from headrace import Pipe, Retry
from headrace.bus.memory.bus import MemoryBus
from headrace.errors import RunFailedError, SettingsError
from headrace.observe.metrics import catalog
from headrace.observe.metrics.calls import CallMetrics
from headrace.observe.metrics.catalog import Kind, Sample
from headrace.observe.metrics.exposition import exposed, serving_metrics
from headrace.observe.metrics.histogram import Histogram
from headrace.runtime.compose import beside, connected, consuming, coordinating
from headrace.runtime.levels import Levels
from headrace.runtime.measured import consumer_samples, coordinator_samples
from headrace.runtime.submissions import Options
from headrace.testing.clock import ManualClock
from headrace.testing.faulty_bus import Fault, FaultyBus
from headrace.testing.wait import wait_until
from headrace.wire.envelope import Framing


class Number(Struct):
    value: int


class Half(Struct):
    value: int


pipe = Pipe("halves")


@pipe.node(group="one", retry=Retry(attempts=2, backoff=0.0))
async def halve(number: Number) -> Half:
    if number.value % 2:
        raise ValueError("odd")
    return Half(number.value // 2)


def values(text: bytes) -> dict[str, float]:
    """Every sample by its name and the values of its labels, those in the order of their names."""
    return {
        f"{sample.name}{{{','.join(value for _, value in sorted(sample.labels.items()))}}}": sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_a_histogram_counts_what_is_no_greater_than_each_bound() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 9.0):
        histogram.observe(value)
    assert histogram.buckets() == [("1.0", 2), ("2.0", 3), ("+Inf", 4)]
    assert histogram.total == 12.0


def test_every_metric_reads_as_prometheus_has_it_with_its_labels() -> None:
    def samples() -> Iterable[Sample]:
        for metric in catalog.ALL:
            labels = tuple(f"a-{label}" for label in metric.labels)
            yield Sample(metric, labels, Histogram() if metric.kind is Kind.HISTOGRAM else 1)

    families = {family.name: family for family in text_string_to_metric_families(exposed(samples).decode())}
    for metric in catalog.ALL:
        family = families[metric.name.removesuffix("_total")]
        assert (family.type, family.documentation) == (metric.kind, metric.says)
        assert {name: text for name, text in family.samples[0].labels.items() if name != "le"} == {
            label: f"a-{label}" for label in metric.labels
        }


@pytest.mark.parametrize("metric", catalog.ALL, ids=lambda metric: metric.name)
def test_a_metric_has_its_unit_in_its_name(metric: catalog.Metric) -> None:
    assert re.fullmatch(r"headrace_[a-z_]+", metric.name)
    assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER)
    assert metric.kind is not Kind.HISTOGRAM or metric.name.endswith("_seconds")


async def test_what_happens_to_runs_is_counted_by_pipe_group_and_node() -> None:
    plan, bus, framing = pipe.compile(), MemoryBus(), Framing()
    calls = CallMetrics(plan.pipe, ManualClock())
    async with (
        consuming(plan, bus, framing, ("one",), observers=(calls,), witnesses=(calls,)) as (consumer,),
        coordinating(bus) as coordinator,
        connected(plan, bus, framing) as client,
    ):
        await client.run(Number(4), options=Options(timeout_s=30.0))
        with pytest.raises(RunFailedError):
            await client.run(Number(3))
        counted = values(
            exposed(
                lambda: consumer_samples("halves", "one", consumer),
                lambda: coordinator_samples(coordinator),
                calls.samples,
            )
        )
    expected = {
        "headrace_hops_total{committed,one,halves}": 3,
        "headrace_hops_total{fenced,one,halves}": 0,
        "headrace_entries_total{one,read,halves}": 3,
        "headrace_slots{one,halves}": 256,
        "headrace_handler_seconds_count{one,halve,halves}": 3,
        "headrace_failed_calls_total{one,step,halve,halves,user_code}": 2,
        "headrace_retries_total{one,halve,halves}": 1,
        "headrace_deadline_slack_seconds_count{one,halves}": 1,
        "headrace_reply_terminals_total{delivered}": 2,
    }
    assert {name: counted[name] for name in expected} == expected


async def test_levels_are_looked_at_and_are_unknown_while_the_bus_is_away() -> None:
    plan, bus = pipe.compile(), FaultyBus(MemoryBus())
    levels = Levels(bus, plan, ("one",), every_s=0.001)
    async with connected(plan, bus, Framing()) as client, beside(bus, levels):
        await client.submit(Number(2))

        def backlog() -> float | None:
            return values(exposed(levels.samples)).get("headrace_backlog{one,halves}")

        await wait_until(lambda: backlog() == 1, description="the level is seen")
        bus.fail("level", *([Fault.BEFORE] * 10_000))
        await wait_until(lambda: backlog() is None, description="nothing is known")


async def test_metrics_are_served_at_a_port_of_their_own_until_the_context_closes() -> None:
    async with httpx.AsyncClient() as http:
        async with serving_metrics("127.0.0.1", 0, lambda: [Sample(catalog.WAITERS, (), 7)]) as url:
            answer = await http.get(url)
        assert values(answer.content)["headrace_gateway_waiters{}"] == 7
        with pytest.raises(httpx.ConnectError):
            await http.get(url)


async def test_without_a_port_nothing_is_served() -> None:
    async with serving_metrics("127.0.0.1", None) as url:
        assert url == ""


async def test_a_port_that_is_taken_is_a_mistake_in_the_settings() -> None:
    async with serving_metrics("127.0.0.1", 0) as url:
        port = int(url.rpartition(":")[2].partition("/")[0])
        with pytest.raises(SettingsError, match=f"setting 'metrics_port' {port} on host '127.0.0.1' cannot be"):
            async with serving_metrics("127.0.0.1", port):
                raise AssertionError
