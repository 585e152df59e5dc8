"""`/v1/runs/{trace_id}`: GET tells where a run stands, and once it has ended its result or failure; DELETE cancels."""

from contextlib import suppress
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request, Response

from headrace.errors import RunError, WaitTimeoutError
from headrace.ledger.values import RunState, RunView
from headrace_gateway.caller import Action
from headrace_gateway.openapi import PROBLEM, RUN, TraceId
from headrace_gateway.presence import Presence
from headrace_gateway.problem import TRACE_HEADER, ProblemError
from headrace_gateway.run_body import RunBody
from headrace_gateway.served import Served

_PREFIX = "/v1/runs"
_NO_RESULT = msgspec.Raw(b"null")


_encode = msgspec.json.Encoder().encode

_RESPONSES: dict[int | str, dict[str, Any]] = {200: RUN, **dict.fromkeys((400, 401, 404, 429, 502, 503), PROBLEM)}
_CANCEL_RESPONSES: dict[int | str, dict[str, Any]] = {
    204: {"description": "It is cancelled: no further node of it starts."},
    **dict.fromkeys((401, 403, 404, 409, 429, 503), PROBLEM),
}


def run_path(trace_id: str) -> str:
    """Give the path where a run is found."""
    return f"{_PREFIX}/{trace_id}"


def runs_router(served: Served) -> APIRouter:
    """Make the routes of runs; only runs of pipes that are served here are found."""
    router = APIRouter(prefix=_PREFIX, tags=["runs"])
    slots = served.admission.endpoint(_PREFIX)

    @router.get(
        "/{trace_id}", operation_id="get_run", summary="Look a run up", responses=_RESPONSES, response_model=None
    )
    async def get_run(
        request: Request,
        trace_id: str,
        wait: Annotated[float, Query(ge=0, allow_inf_nan=False, description="Seconds.")] = 0.0,
    ) -> Response:
        caller = await served.caller(request)
        with slots:
            view = await served.view(trace_id, caller)
            if view.terminal is None and wait > 0:
                with (
                    Presence(request.receive),
                    suppress(WaitTimeoutError),
                ):  # then it is open still, and that is the answer
                    await served.waiters.wait(trace_id, min(wait, served.limits.max_wait_s))
                view = await served.view(trace_id, caller)
        return Response(_encode(_body(served, view)), headers={TRACE_HEADER: trace_id}, media_type="application/json")

    @router.delete(
        "/{trace_id}",
        operation_id="cancel_run",
        summary="Cancel a run",
        responses=_CANCEL_RESPONSES,
        response_model=None,
    )
    async def cancel_run(request: Request, trace_id: TraceId) -> Response:
        caller = await served.caller(request)
        view = await served.view(trace_id, caller, Action.CANCEL)
        if view.terminal is not None or not await served.clients[view.pipe].cancel(trace_id):
            raise run_ended(await served.view(trace_id, caller, Action.CANCEL))
        return Response(status_code=HTTPStatus.NO_CONTENT, headers={TRACE_HEADER: trace_id})

    return router


def run_ended(view: RunView) -> ProblemError:
    """Make the answer to what only an open run can do."""
    state = view.terminal.state if view.terminal else RunState.OPEN
    return ProblemError(HTTPStatus.CONFLICT, "run_ended", f"the run has ended before: it is {state}")


def _body(served: Served, view: RunView) -> RunBody:
    if view.terminal is None:
        return RunBody(view.trace_id, view.pipe, view.plan, RunState.OPEN, view.created_ms)
    state = view.terminal.state
    try:
        result = served.clients[view.pipe].result_json(view.trace_id, view.terminal)
    except RunError as error:
        return RunBody(view.trace_id, view.pipe, view.plan, state, view.created_ms, None, error.failure)
    return RunBody(view.trace_id, view.pipe, view.plan, state, view.created_ms, _raw(result))


def _raw(result: bytes | None) -> msgspec.Raw:
    return _NO_RESULT if result is None else msgspec.Raw(result)
