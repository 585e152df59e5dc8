"""The gateway: serves pipes over HTTP, on Redis, until it is told to stop; requests under way are answered first."""

from collections.abc import Sequence

import structlog

from headrace.errors import SettingsError
from headrace.graph.plan import ExecutionPlan
from headrace.reply.coordinator import ReplyCoordinator
from headrace.reply.waiters import Waiters
from headrace.runtime.compose import beside, instance_name
from headrace.runtime.load import load_plan
from headrace.runtime.reports import Beat, Reports
from headrace.runtime.signals import stop_signals
from headrace.settings.bus import framing, open_bus
from headrace.settings.main import run_service
from headrace.settings.services import GatewaySettings
from headrace_gateway.app import create_app
from headrace_gateway.served import Limits
from headrace_gateway.server import address_of, listen, serve_http

_log = structlog.get_logger("headrace.gateway")


def main(arguments: Sequence[str] | None = None, *, program: str = "headrace-gateway") -> int:
    """Run the gateway; gives the exit code."""
    return run_service(GatewaySettings, serve, arguments, service="gateway", program=program)


async def serve(settings: GatewaySettings) -> None:
    """Serve until SIGTERM or SIGINT. The bus may be away: then requests are answered with 503.

    Raises:
        AppError, CompileError, SettingsError: A pipe, its placement, or a setting is wrong.
    """
    plans = load_plans(settings)
    frames, bus = framing(settings), open_bus(settings)
    parts = [ReplyCoordinator(bus, instance_name("reply"))] if settings.with_reply else []
    limits = limits_of(settings)
    app = create_app(plans, bus, frames, limits=limits, partitions=settings.partitions, parts=parts)
    if settings.check:
        return
    try:
        pipes = {plan.pipe: plan.version for plan in plans}
        reports = Reports(settings.report_fd)
        reports.hello(pipes)
        with (
            stop_signals(settings.parent_fd, orphan_s=settings.orphan_s) as stopping,
            listen(settings.host, settings.port) as listening,
        ):

            def started() -> None:
                url = address_of(listening)
                _log.info("gateway_started", url=url, pipes=pipes, with_reply=settings.with_reply)
                reports.ready(lambda: beat_of(app.state.waiters), url=url)

            async with beside(bus, reports):
                await serve_http(app, [listening], stopping, drain_s=settings.drain_s, on_started=started)
            _log.info("gateway_stopped")
    finally:
        await bus.aclose()


def beat_of(waiters: Waiters) -> Beat:
    """Give what a gateway says of itself: the requests that wait, and how many were answered with a run's end."""
    return Beat(len(waiters), waiters.counts["replied"])


def load_plans(settings: GatewaySettings) -> list[ExecutionPlan]:
    """Load and compile the pipes to serve.

    Raises:
        AppError, CompileError, SettingsError: A pipe or its placement is wrong.
    """
    placements = settings.placement or (None,) * len(settings.app)
    if len(placements) != len(settings.app):
        raise SettingsError(
            "placement", f"names {len(placements)} files for {len(settings.app)} pipes; give one a pipe"
        )
    plans = [load_plan(app, placement) for app, placement in zip(settings.app, placements, strict=True)]
    names = [plan.pipe for plan in plans]
    for name in names:
        if names.count(name) > 1:
            raise SettingsError("app", f"names pipe '{name}' twice")
    return plans


def limits_of(settings: GatewaySettings) -> Limits:
    """Take the limits of a request out of the settings."""
    return Limits(settings.wait_s, settings.max_wait_s, settings.max_body_bytes)
