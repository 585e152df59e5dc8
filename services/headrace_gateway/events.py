"""`GET /v1/runs/{trace_id}/events`: a run's events, from `Last-Event-ID` on, on any replica."""

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response

from headrace_gateway.event_stream import EventStream, place_of
from headrace_gateway.openapi import EVENTS, LAST_EVENT_ID, PROBLEM, TraceId
from headrace_gateway.problem import TRACE_HEADER
from headrace_gateway.served import Served

_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: EVENTS,
    204: {"description": "The run has ended, and its end has been seen: there is nothing to reconnect for."},
    **dict.fromkeys((400, 401, 403, 404, 409, 429, 503), PROBLEM),
}


def events_router(served: Served) -> APIRouter:
    """Make the route of events; only runs of pipes that are served here are found."""
    router = APIRouter(prefix="/v1/runs", tags=["runs"])
    slots = served.admission.endpoint("/v1/runs/{trace_id}/events")

    @router.get(
        "/{trace_id}/events",
        operation_id="follow_run",
        summary="Follow a run",
        responses=_RESPONSES,
        response_model=None,
        openapi_extra={"parameters": [LAST_EVENT_ID]},
    )
    async def follow_run(request: Request, trace_id: TraceId) -> Response:
        caller = await served.caller(request)
        after = place_of(request.headers.get("last-event-id"))
        view = await served.view(trace_id, caller)
        following = served.clients[view.pipe].following
        headers = {TRACE_HEADER: trace_id}
        with slots.held() as held:
            if await following.is_over(view, after):
                return Response(status_code=HTTPStatus.NO_CONTENT, headers=headers)
            batches = following.batches(view, after, idle_s=served.limits.heartbeat_s)
            return EventStream(batches, headers=headers, held=held.pop_all())

    return router
