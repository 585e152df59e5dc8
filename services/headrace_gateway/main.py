"""The gateway: serves pipes over HTTP, on Redis, until it is told to stop; requests under way are answered first."""

import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from socket import socket

import structlog

from headrace.errors import SettingsError
from headrace.graph.plan import ExecutionPlan
from headrace.observe.traces import open_traces
from headrace.reply.coordinator import ReplyCoordinator
from headrace.reply.waiters import Waiters
from headrace.runtime.compose import beside, instance_name
from headrace.runtime.garbage import spare_the_start
from headrace.runtime.load import load_plan
from headrace.runtime.measured import coordinator_samples
from headrace.runtime.reports import Beat, Reports
from headrace.runtime.signals import stop_signals
from headrace.settings.bus import framing, open_bus
from headrace.settings.main import run_service
from headrace.settings.services import GatewaySettings
from headrace_gateway.access import Access
from headrace_gateway.api_keys import ApiKeys
from headrace_gateway.app import create_app
from headrace_gateway.console.opening import console_sight
from headrace_gateway.jwks import Jwks
from headrace_gateway.limits import Limits
from headrace_gateway.server import address_of, inherited, listen, serve_http
from headrace_gateway.tokens import ASYMMETRIC, Tokens, Trust

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
    frames, bus, access = framing(settings), open_bus(settings), access_of(settings)
    traces = open_traces(settings.otlp_endpoint, "gateway")
    sights = AsyncExitStack()
    coordinators = [ReplyCoordinator(bus, instance_name("reply"), traces=traces)] if settings.with_reply else []
    app = create_app(
        plans,
        bus,
        frames,
        limits=limits_of(settings),
        access=access,
        partitions=settings.partitions,
        events_sample=settings.events_sample,
        traces=traces,
        parts=coordinators,
        sources=[partial(coordinator_samples, each) for each in coordinators],
        console=console_sight(settings, bus, sights) if is_console_on(settings, access) else None,
    )
    if settings.check:
        return
    try:
        pipes = {plan.pipe: plan.version for plan in plans}
        reports = Reports(settings.report_fd)
        reports.hello(pipes)
        with (
            stop_signals(settings.parent_fd, orphan_s=settings.orphan_s) as stopping,
            _listening(settings) as listening,
        ):

            def started() -> None:
                url = address_of(listening)
                _log.info("gateway_started", url=url, pipes=pipes, with_reply=settings.with_reply)
                reports.ready(lambda: beat_of(app.state.waiters), url=url)

            spare_the_start()
            async with beside(bus, reports):
                await serve_http(
                    app,
                    [listening],
                    stopping,
                    drain_s=settings.drain_s,
                    on_started=started,
                    max_connections=settings.max_connections,
                    max_message_bytes=settings.max_body_bytes,
                    send_timeout_s=settings.send_timeout_s,
                )
            _log.info("gateway_stopped")
    finally:
        await sights.aclose()
        await bus.aclose()
        if traces is not None:
            await traces.aclose()


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
    """Take the limits of requests out of the settings."""
    return Limits(
        wait_s=settings.wait_s,
        max_wait_s=settings.max_wait_s,
        max_body_bytes=settings.max_body_bytes,
        body_timeout_s=settings.body_timeout_s,
        max_waiters=settings.max_waiters,
        max_runs=settings.max_runs,
        max_outstanding=settings.max_outstanding,
        heartbeat_s=settings.heartbeat_s,
        client_rate=settings.client_rate,
        client_burst=settings.client_burst,
    )


def access_of(settings: GatewaySettings) -> Access | None:
    """Make the control of access; None where no credentials are set up.

    Raises:
        SettingsError: The file of keys cannot be read, or something is missing.
    """
    api_keys = ApiKeys(settings.api_keys_file) if settings.api_keys_file else None
    tokens = _tokens(settings, settings.jwks) if settings.jwks else None
    return Access(api_keys, tokens) if api_keys or tokens else None


def is_console_on(settings: GatewaySettings, access: Access | None) -> bool:
    """Tell whether the console is served: unless it is said, where somebody has to say who he is."""
    return access is not None if settings.console is None else settings.console


def _tokens(settings: GatewaySettings, jwks: str) -> Tokens:
    if not settings.jwt_issuer or not settings.jwt_audience:
        missing = "jwt_audience" if settings.jwt_issuer else "jwt_issuer"
        raise SettingsError(missing, "is missing, and 'jwks' is set: a token of anybody, for anybody, would be taken")
    for name in settings.jwt_algorithms:
        if name not in ASYMMETRIC:
            raise SettingsError("jwt_algorithms", f"names '{name}', which is none of {', '.join(sorted(ASYMMETRIC))}")
    trust = Trust(settings.jwt_issuer, settings.jwt_audience, settings.jwt_algorithms)
    return Tokens(Jwks(jwks, time.monotonic), trust)


def _listening(settings: GatewaySettings) -> socket:
    timeout_s = settings.send_timeout_s
    if settings.listen_fd is not None:
        return inherited(settings.listen_fd, send_timeout_s=timeout_s)
    return listen(settings.host, settings.port, send_timeout_s=timeout_s)
