"""`POST /v1/pipes/{pipe}`: starts a run and waits for its result, as long as the request asks."""

from collections.abc import Mapping
from contextlib import ExitStack
from http import HTTPStatus

import msgspec
from fastapi import APIRouter, Request, Response
from msgspec import structs

from headrace.errors import TooManyRunsError, WaitTimeoutError
from headrace.graph.mistakes import suggest
from headrace.runtime.client import Client
from headrace.runtime.idempotency import Idempotency, fingerprint_of
from headrace.runtime.submissions import Options
from headrace_gateway.asked import (
    Preference,
    idempotency_key_of,
    preference_of,
    timeout_of,
    traceparent_for,
    traceparent_of,
)
from headrace_gateway.body import message_in, read_body
from headrace_gateway.caller import Action, Caller
from headrace_gateway.event_stream import EventStream, is_wanted
from headrace_gateway.openapi import operation_of
from headrace_gateway.presence import Presence
from headrace_gateway.problem import TRACE_HEADER, ProblemError
from headrace_gateway.run_body import RunBody
from headrace_gateway.runs import run_path
from headrace_gateway.served import Served
from headrace_gateway.short_way import Endpoint

_JSON = "application/json"
_EXPIRY_GRACE_S = 0.5  # over a run's own deadline, so that its worker's word "expired" is heard

_encode = msgspec.json.Encoder().encode


def pipe_endpoints(served: Served) -> dict[str, Endpoint]:
    """Make the endpoint of each pipe, by its path."""
    return {_path(pipe): _endpoint(served, client) for pipe, client in served.clients.items()}


def pipes_router(served: Served, endpoints: Mapping[str, Endpoint]) -> APIRouter:
    """Make a concrete path a pipe, so that each has its own schema, and one that says what is not there."""
    router = APIRouter(tags=["pipes"])
    for pipe, client in served.clients.items():
        endpoint = endpoints[_path(pipe)]
        router.add_api_route(_path(pipe), endpoint, methods=["POST"], response_model=None, **operation_of(client.plan))

    @router.post("/v1/pipes/{pipe}", include_in_schema=False)
    async def unknown_pipe(request: Request, pipe: str) -> Response:
        await served.caller(request)
        detail = f"no pipe of this name is served here{suggest(pipe, served.clients)}"
        raise ProblemError(HTTPStatus.NOT_FOUND, "unknown_pipe", detail)

    return router


def _path(pipe: str) -> str:
    return f"/v1/pipes/{pipe}"


def _endpoint(served: Served, client: Client) -> Endpoint:
    pipe, codec = client.plan.pipe, client.plan.codecs[client.plan.entry_type]
    slots = served.admission.endpoint(_path(pipe))

    async def start_run(request: Request) -> Response:
        caller = await served.caller(request)
        caller.require(Action.RUN, pipe)
        preference = preference_of(request.headers.getlist("prefer"))
        timeout_s = timeout_of(request.headers.get("x-request-timeout"))
        key = idempotency_key_of(request.headers.get("idempotency-key"))
        with slots.held() as held:
            body = await read_body(request, served.limits)
            message = message_in(body, codec)
            options = Options(
                timeout_s=timeout_s,
                traceparent=traceparent_of(request.headers.get("traceparent")),
                most_open=served.limits.max_runs,
                idempotency=_idempotency(caller, key, body),
            )
            try:
                if is_wanted(request.headers.get("accept")):
                    return await _stream(served, client, message, options, held)
                wait_s = _wait_s(served, preference, timeout_s)
                if wait_s == 0:
                    return _accepted(client, await client.submit(message, options), options)
                with Presence(request.receive):
                    return await _answer(client, message, options, preference, wait_s)
            except TooManyRunsError as error:
                raise await served.admission.no_more_runs(error) from None

    return start_run


async def _stream(served: Served, client: Client, message: object, options: Options, held: ExitStack) -> EventStream:
    trace_id = await client.submit(message, structs.replace(options, keeps_events=True))
    view = await client.following.view(trace_id)
    return EventStream(
        client.following.batches(view, idle_s=served.limits.heartbeat_s),
        headers={**_headers(trace_id, options), "Location": run_path(trace_id)},
        accepted=_body(client, trace_id),
        held=held.pop_all(),
    )


async def _answer(client: Client, message: object, options: Options, preference: Preference, wait_s: float) -> Response:
    try:
        trace_id, terminal = await client.ask(message, timeout_s=wait_s, options=options)
    except WaitTimeoutError as error:
        if preference.is_async or preference.wait_s is not None:
            return _accepted(client, error.trace_id, options)
        raise
    headers = _headers(trace_id, options)
    result = client.result_json(trace_id, terminal)
    if result is None:
        return Response(status_code=HTTPStatus.NO_CONTENT, headers=headers)
    return Response(result, headers=headers, media_type=_JSON)


def _idempotency(caller: Caller, key: str, body: bytes) -> Idempotency | None:
    return Idempotency(key, fingerprint_of(body), caller.name) if key else None


def _headers(trace_id: str, options: Options) -> dict[str, str]:
    return {TRACE_HEADER: trace_id, "traceparent": traceparent_for(trace_id, options.traceparent)}


def _wait_s(served: Served, preference: Preference, timeout_s: float) -> float:
    wait_s = preference.wait_s
    if wait_s is None:
        wait_s = 0.0 if preference.is_async else served.limits.wait_s
    wait_s = min(wait_s, served.limits.max_wait_s)
    return min(wait_s, timeout_s + _EXPIRY_GRACE_S) if timeout_s else wait_s


def _accepted(client: Client, trace_id: str, options: Options) -> Response:
    headers = {**_headers(trace_id, options), "Location": run_path(trace_id)}
    return Response(_encode(_body(client, trace_id)), HTTPStatus.ACCEPTED, headers, _JSON)


def _body(client: Client, trace_id: str) -> RunBody:
    return RunBody(trace_id=trace_id, pipe=client.plan.pipe, plan=client.plan.version, state="open")
