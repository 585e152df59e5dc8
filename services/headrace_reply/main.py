"""The reply service: the reply coordinator over Redis, until it is told to stop. It needs no pipe."""

from collections.abc import Sequence
from functools import partial

import structlog

from headrace.observe.metrics.exposition import serving_metrics
from headrace.observe.traces import open_traces
from headrace.reply.coordinator import ReplyCoordinator
from headrace.runtime.compose import beside, coordinating
from headrace.runtime.garbage import spare_the_start
from headrace.runtime.heartbeat import heartbeats
from headrace.runtime.life import Life
from headrace.runtime.measured import coordinator_samples
from headrace.runtime.reachable import until_reachable
from headrace.runtime.reports import Beat, Reports
from headrace.runtime.signals import stop_signals
from headrace.settings.bus import open_bus
from headrace.settings.main import run_service
from headrace.settings.services import ReplySettings

_log = structlog.get_logger("headrace.reply")


def main(arguments: Sequence[str] | None = None, *, program: str = "headrace-reply") -> int:
    """Run the reply service; gives the exit code."""
    return run_service(ReplySettings, serve, arguments, service="reply", program=program)


async def serve(settings: ReplySettings) -> None:
    """Match replies until SIGTERM or SIGINT.

    Raises:
        SettingsError: A setting is wrong.
    """
    bus = open_bus(settings)
    traces = open_traces(settings.otlp_endpoint, "reply")
    if settings.check:
        return
    try:
        reports = Reports(settings.report_fd)
        reports.hello({})
        async with beside(bus, reports):
            with stop_signals(settings.parent_fd, orphan_s=settings.orphan_s) as stopping:
                if not await until_reachable(bus, stopping):
                    return
                spare_the_start()
                async with coordinating(bus, traces=traces) as coordinator:
                    life, counts = Life(coordinator), partial(coordinator_samples, coordinator)
                    async with (
                        beside(bus, *heartbeats(settings.heartbeat_file, life)),
                        serving_metrics(settings.metrics_host, settings.metrics_port, counts) as metrics,
                    ):
                        _log.info("reply_started", metrics=metrics)
                        reports.ready(lambda: beat_of(coordinator, life))
                        await stopping.wait()
                _log.info("reply_stopped", **coordinator.counts)
    finally:
        await bus.aclose()
        if traces is not None:
            await traces.aclose()


def beat_of(coordinator: ReplyCoordinator, life: Life) -> Beat | None:
    """Give what a reply service says of itself, which is nothing where its reader is dead."""
    return Beat(done=coordinator.counts["delivered"]) if life.is_alive() else None
