"""`POST /v1/pipes/{pipe}`: starts a run and waits for its result, as long as the request asks."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus

import msgspec
from fastapi import APIRouter, Request, Response

from headrace.errors import WaitTimeoutError
from headrace.graph.mistakes import suggest
from headrace.runtime.client import Client
from headrace.runtime.submissions import Options
from headrace_gateway.asked import Preference, preference_of, timeout_of, traceparent_of
from headrace_gateway.body import message_in, read_body
from headrace_gateway.openapi import operation_of
from headrace_gateway.problem import TRACE_HEADER, ProblemError
from headrace_gateway.runs import RunBody, run_path
from headrace_gateway.served import Served

_JSON = "application/json"
_EXPIRY_GRACE_S = 0.5  # over a run's own deadline, so that its worker's word "expired" is heard

_encode = msgspec.json.Encoder().encode


def pipes_router(served: Served) -> APIRouter:
    """Make a concrete path a pipe, so that each has its own schema, and one that says what is not there."""
    router = APIRouter(prefix="/v1/pipes", tags=["pipes"])
    for pipe, client in served.clients.items():
        router.add_api_route(
            f"/{pipe}", _endpoint(served, client), methods=["POST"], response_model=None, **operation_of(client.plan)
        )

    @router.post("/{pipe}", include_in_schema=False)
    async def unknown_pipe(pipe: str) -> Response:
        detail = f"no pipe of this name is served here{suggest(pipe, served.clients)}"
        raise ProblemError(HTTPStatus.NOT_FOUND, "unknown_pipe", detail)

    return router


def _endpoint(served: Served, client: Client) -> Callable[[Request], Awaitable[Response]]:
    async def start_run(request: Request) -> Response:
        preference = preference_of(request.headers.getlist("prefer"))
        timeout_s = timeout_of(request.headers.get("x-request-timeout"))
        options = Options(timeout_s=timeout_s, traceparent=traceparent_of(request.headers.get("traceparent")))
        body = await read_body(request, served.limits.max_body_bytes)
        message = message_in(body, client.plan.codecs[client.plan.entry_type])
        wait_s = _wait_s(served, preference, timeout_s)
        if wait_s == 0:
            return _accepted(client, await client.submit(message, options))
        try:
            trace_id, terminal = await client.ask(message, timeout_s=wait_s, options=options)
        except WaitTimeoutError as error:
            if preference.is_async or preference.wait_s is not None:
                return _accepted(client, error.trace_id)
            raise
        headers = {TRACE_HEADER: trace_id}
        result = client.result_json(trace_id, terminal)
        if result is None:
            return Response(status_code=HTTPStatus.NO_CONTENT, headers=headers)
        return Response(result, headers=headers, media_type=_JSON)

    return start_run


def _wait_s(served: Served, preference: Preference, timeout_s: float) -> float:
    wait_s = preference.wait_s
    if wait_s is None:
        wait_s = 0.0 if preference.is_async else served.limits.wait_s
    wait_s = min(wait_s, served.limits.max_wait_s)
    return min(wait_s, timeout_s + _EXPIRY_GRACE_S) if timeout_s else wait_s


def _accepted(client: Client, trace_id: str) -> Response:
    body = RunBody(trace_id=trace_id, pipe=client.plan.pipe, plan=client.plan.version, state="open")
    headers = {TRACE_HEADER: trace_id, "Location": run_path(trace_id)}
    return Response(_encode(body), HTTPStatus.ACCEPTED, headers, _JSON)
