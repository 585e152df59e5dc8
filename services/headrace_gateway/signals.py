"""`POST /v1/runs/{trace_id}/signals/{name}`: gives a run the signal that its work waits for."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from fastapi import APIRouter, Request, Response

from headrace.errors import UnknownSignalError
from headrace.kernel.sent_signals import signal_codecs
from headrace.ledger.values import RunView
from headrace_gateway.body import message_in, read_body
from headrace_gateway.caller import Action
from headrace_gateway.openapi import TraceId, signal_operation_of
from headrace_gateway.problem import TRACE_HEADER, ProblemError
from headrace_gateway.runs import run_ended
from headrace_gateway.served import Served

_PATH = "/{trace_id}/signals"


def signals_router(served: Served) -> APIRouter:
    """Make a concrete path a signal, so that each has its own schema, and one that says what is not there."""
    router = APIRouter(prefix="/v1/runs", tags=["runs"])
    plans = [client.plan for client in served.clients.values()]
    for name in dict.fromkeys(name for plan in plans for name in signal_codecs(plan)):
        waiting = [plan for plan in plans if name in signal_codecs(plan)]
        router.add_api_route(
            f"{_PATH}/{name}",
            _endpoint(served, name),
            methods=["POST"],
            response_model=None,
            response_class=Response,
            status_code=HTTPStatus.ACCEPTED,
            **signal_operation_of(name, waiting),
        )

    @router.post(f"{_PATH}/{{name}}", include_in_schema=False)
    async def unknown_signal(request: Request, trace_id: str, name: str) -> Response:
        view = await served.view(trace_id, await served.caller(request), Action.SIGNAL)
        raise _unknown(served, view, name)

    return router


def _endpoint(served: Served, name: str) -> Callable[[TraceId, Request], Awaitable[Response]]:
    async def signal_run(trace_id: TraceId, request: Request) -> Response:
        caller = await served.caller(request)
        view = await served.view(trace_id, caller, Action.SIGNAL)
        client = served.clients[view.pipe]
        codec = signal_codecs(client.plan).get(name)
        if codec is None:
            raise _unknown(served, view, name)
        message = message_in(await read_body(request, served.limits), codec)
        if await client.signal(trace_id, name, message):
            return Response(status_code=HTTPStatus.ACCEPTED, headers={TRACE_HEADER: trace_id})
        view = await served.view(trace_id, caller, Action.SIGNAL)
        if view.terminal is not None:
            raise run_ended(view)
        raise ProblemError(
            HTTPStatus.CONFLICT, "already_signalled", f"the run had signal '{name}' before; that one stays"
        )

    return signal_run


def _unknown(served: Served, view: RunView, name: str) -> UnknownSignalError:
    plan = served.clients[view.pipe].plan
    return UnknownSignalError(plan.pipe, name, tuple(signal_codecs(plan)))
