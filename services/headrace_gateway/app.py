"""The gateway's application: routes over the pipes it serves, and what turns errors into problems."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from headrace.bus.protocol import Bus
from headrace.errors import HeadraceError
from headrace.graph.plan import ExecutionPlan
from headrace.kernel.clock import BusClock
from headrace.observe.metrics.exposition import Source
from headrace.observe.traces import Traces
from headrace.reply.waiters import Waiters
from headrace.runtime.bus_time import BusTime
from headrace.runtime.client import Client
from headrace.runtime.compose import Background, beside, instance_name
from headrace.runtime.followers import Followers
from headrace.wire.envelope import Framing
from headrace_gateway.access import Access
from headrace_gateway.admission import Admission
from headrace_gateway.asked import traceparent_for, traceparent_of
from headrace_gateway.client_rate import ClientRate
from headrace_gateway.console.router import console_router
from headrace_gateway.console.sight import Sight
from headrace_gateway.events import events_router
from headrace_gateway.health import health_router
from headrace_gateway.limits import Limits
from headrace_gateway.metrics import RequestDurations, metrics_router
from headrace_gateway.openapi import SCHEMES, components_of, secured
from headrace_gateway.pipes import pipe_endpoints, pipes_router
from headrace_gateway.problem import TRACE_HEADER, ProblemError, problem, problem_of
from headrace_gateway.runs import runs_router
from headrace_gateway.served import Served
from headrace_gateway.short_way import ShortWay
from headrace_gateway.signals import signals_router
from headrace_gateway.websocket import sockets_router

_CLIENT_CLOSED = 499  # nobody reads it; it stands in logs
_log = structlog.get_logger("headrace.gateway")
_CODES = {HTTPStatus.NOT_FOUND: "not_found", HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed"}


class _Application(FastAPI):
    """Takes requests to pipes the short way.

    Attributes:
        short_way: Set once the endpoints are known.
    """

    short_way: ShortWay

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.short_way(scope, receive, send)


def create_app(  # noqa: PLR0913 - the parts of one application, all but three by name
    plans: Sequence[ExecutionPlan],
    bus: Bus,
    framing: Framing,
    *,
    limits: Limits | None = None,
    access: Access | None = None,
    partitions: int = 1,
    events_sample: float = 0.0,
    traces: Traces | None = None,
    parts: Sequence[Background] = (),
    sources: Sequence[Source] = (),
    console: Sight | None = None,
) -> FastAPI:
    """Make the application; its lifespan reads the inbox of this process's waiters.

    Args:
        plans: The pipes to serve; each has its name once.
        bus: Stays the caller's, who closes it.
        access: Who may ask; None for anybody.
        partitions: As the bus's.
        events_sample: The share of runs, 0 to 1, that keep their events without being asked to.
        traces: Sees requests to pipes, and the runs that they start.
        parts: Run beside the waiters, such as a reply coordinator.
        sources: What these count, for `/metrics`.
        console: What the operators' console sees; None for no console.
    """
    waiters = Waiters(bus, instance_name("gateway"))
    followers = Followers(bus)
    clock = BusClock()
    time = BusTime(bus, clock)
    clients = {
        plan.pipe: Client(
            plan,
            bus,
            waiters,
            followers,
            framing=framing,
            partitions=partitions,
            clock=clock,
            events_sample=events_sample,
            traces=traces,
        )
        for plan in plans
    }
    limits = limits or Limits()
    rate = ClientRate(limits.client_rate, limits.client_burst) if limits.client_rate else None
    admission = Admission(bus, max_waiters=limits.max_waiters, client_rate=rate)
    served = Served(clients, bus, waiters, followers, limits, admission, access, traces)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        async with beside(bus, waiters, followers, time, *parts):
            await time.first()
            yield

    endpoints, durations = pipe_endpoints(served), RequestDurations()
    app = _Application(title=", ".join(clients), lifespan=lifespan, redoc_url=None)
    for router in (
        pipes_router(served, endpoints),
        runs_router(served),
        events_router(served),
        sockets_router(served),
        signals_router(served),
        health_router(served),
        metrics_router(served, durations, sources),
    ):
        app.include_router(router)
    if console is not None:
        app.include_router(console_router(served, console, plans, framing))
    app.state.waiters = waiters
    app.state.followers = followers
    _answer_errors(app)
    app.short_way = ShortWay(
        partial(FastAPI.__call__, app), endpoints, app.exception_handlers, durations.observe, traces
    )
    _describe(app, plans, access.schemes if access else ())
    return app


def _answer_errors(app: FastAPI) -> None:
    @app.exception_handler(HeadraceError)
    async def known(request: Request, error: HeadraceError) -> Response:
        response = problem_of(error)
        if trace_id := response.headers.get(TRACE_HEADER):
            asked = traceparent_of(request.headers.get("traceparent"))
            response.headers["traceparent"] = traceparent_for(trace_id, asked)
        return response

    @app.exception_handler(ProblemError)
    async def refused(_request: Request, error: ProblemError) -> Response:
        return error.response()

    @app.exception_handler(RequestValidationError)
    async def malformed(_request: Request, error: RequestValidationError) -> Response:
        where = ", ".join(sorted({str(mistake["loc"][-1]) for mistake in error.errors()}))
        return problem(HTTPStatus.BAD_REQUEST, "malformed_query", f"malformed: {where}")

    @app.exception_handler(HTTPException)
    async def routed(_request: Request, error: HTTPException) -> Response:
        status = HTTPStatus(error.status_code)
        return problem(status, _CODES.get(status, "refused"), status.phrase, headers=error.headers)

    @app.exception_handler(ClientDisconnect)
    async def gone(_request: Request, _error: ClientDisconnect) -> Response:
        return Response(status_code=_CLIENT_CLOSED)

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        # the server logs its traceback
        _log.error("request_crashed", method=request.method, path=request.url.path, error=type(error).__name__)
        return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", "the gateway failed; its log says more")


def _describe(app: FastAPI, plans: Sequence[ExecutionPlan], schemes: Sequence[str]) -> None:
    made: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not made:
            made.update(get_openapi(title=app.title, version=app.version, routes=app.routes))
            made["components"] = {"schemas": components_of(plans)}
            if schemes:
                made["components"]["securitySchemes"] = {scheme: SCHEMES[scheme] for scheme in schemes}
            secured(made["paths"], schemes)
        return made

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way of extending it
