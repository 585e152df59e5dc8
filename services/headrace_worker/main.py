"""The worker: consumes one group of a pipe over Redis until it is told to stop; what is under way is finished first."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import partial

import structlog

from headrace.bus.protocol import Bus
from headrace.errors import SettingsError
from headrace.graph.mistakes import suggest
from headrace.graph.plan import ExecutionPlan
from headrace.kernel.clock import SystemClock
from headrace.observe.metrics.calls import CallMetrics
from headrace.observe.metrics.exposition import serving_metrics
from headrace.observe.traces import Traces, open_traces
from headrace.runtime.compose import beside, consuming
from headrace.runtime.consumer import Consumer, ConsumerOptions
from headrace.runtime.garbage import spare_the_start
from headrace.runtime.heartbeat import heartbeats
from headrace.runtime.levels import Levels
from headrace.runtime.life import Life
from headrace.runtime.load import load_plan
from headrace.runtime.measured import consumer_samples
from headrace.runtime.reachable import until_reachable
from headrace.runtime.reports import Beat, Reports
from headrace.runtime.signals import stop_signals
from headrace.settings.bus import framing, open_bus
from headrace.settings.main import run_service
from headrace.settings.services import WorkerSettings
from headrace.wire.envelope import Framing

_log = structlog.get_logger("headrace.worker")


def main(arguments: Sequence[str] | None = None, *, program: str = "headrace-worker") -> int:
    """Run a worker; gives the exit code."""
    return run_service(WorkerSettings, serve, arguments, service="worker", program=program)


async def serve(settings: WorkerSettings) -> None:
    """Consume until SIGTERM or SIGINT.

    Raises:
        AppError, CompileError, SettingsError: The pipe, its placement, or a setting is wrong.
    """
    plan = load_plan(settings.app, settings.placement)
    _require_group(plan, settings.group)
    frames, bus = framing(settings), open_bus(settings)
    traces = open_traces(settings.otlp_endpoint, "worker")
    if settings.check:
        return
    about = {"pipe": plan.pipe, "plan": plan.version, "group": settings.group}
    try:
        reports = Reports(settings.report_fd)
        reports.hello({plan.pipe: plan.version})
        async with beside(bus, reports):
            with stop_signals(settings.parent_fd, orphan_s=settings.orphan_s) as stopping:
                if not await until_reachable(bus, stopping):
                    return
                spare_the_start()
                async with _consuming(plan, bus, settings, frames, traces) as (consumer, metrics):
                    life = Life(consumer)
                    async with beside(bus, *heartbeats(settings.heartbeat_file, life)):
                        is_signed = settings.signing_keys is not None
                        _log.info("worker_started", **about, is_signed=is_signed, metrics=metrics)
                        reports.ready(lambda: beat_of(consumer, life))
                        await stopping.wait()
            _log.info("worker_stopped", **about, in_flight=consumer.in_flight, **consumer.counts)
    finally:
        await bus.aclose()
        if traces is not None:
            await traces.aclose()


def options_of(settings: WorkerSettings) -> ConsumerOptions:
    """Take how a worker works out of the settings."""
    return ConsumerOptions(
        slots=settings.slots,
        lease_s=settings.lease_s,
        max_deliveries=settings.max_deliveries,
        drain_s=settings.drain_s,
        shows_detail=settings.shows_detail,
    )


@asynccontextmanager
async def _consuming(
    plan: ExecutionPlan, bus: Bus, settings: WorkerSettings, frames: Framing, traces: Traces | None
) -> AsyncGenerator[tuple[Consumer, str]]:
    """Consume the group, and serve metrics where they are asked for, whose URL is given too."""
    group, options = settings.group, options_of(settings)
    if settings.metrics_port is None:
        async with consuming(plan, bus, frames, (group,), options=options, traces=traces) as (consumer,):
            yield consumer, ""
        return
    calls, levels = CallMetrics(plan.pipe, SystemClock()), Levels(bus, plan, (group,))
    async with consuming(
        plan, bus, frames, (group,), options=options, observers=(calls,), witnesses=(calls,), traces=traces
    ) as (consumer,):
        counts = partial(consumer_samples, plan.pipe, group, consumer)
        host, port = settings.metrics_host, settings.metrics_port
        async with beside(bus, levels), serving_metrics(host, port, counts, calls.samples, levels.samples) as url:
            yield consumer, url


def beat_of(consumer: Consumer, life: Life) -> Beat | None:
    """Give what a worker says of itself, which is nothing where its reader is dead."""
    return Beat(consumer.in_flight, consumer.counts["committed"]) if life.is_alive() else None


def _require_group(plan: ExecutionPlan, group: str) -> None:
    if group not in plan.groups:
        there = ", ".join(plan.groups)
        hint = suggest(group, list(plan.groups))
        raise SettingsError("group", f"is '{group}', and pipe '{plan.pipe}' has the groups: {there}{hint}")
