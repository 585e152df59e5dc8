"""The short way of a request to a pipe's endpoint, past the framework, which costs as much as the endpoint.

The routes stay, for the schema and for everything else; an error becomes the same answer on either way.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import Request, Response
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from headrace.observe.traces import Traces
from headrace_gateway.asked import traceparent_of

_TRACEPARENT = "traceparent"

Endpoint = Callable[[Request], Awaitable[Response]]
Handlers = Mapping[Any, Callable[[Request, Any], Any]]


class ShortWay:
    """Answers POST requests to some paths itself.

    Args:
        app: Answers all others.
        endpoints: By path.
        handlers: The application's, which turn errors into answers.
        took: Told of each request's path, the status of its answer, and the seconds until it was made.
        traces: Sees each request.
    """

    def __init__(
        self,
        app: ASGIApp,
        endpoints: Mapping[str, Endpoint],
        handlers: Handlers,
        took: Callable[[str, int, float], object],
        traces: Traces | None = None,
    ) -> None:
        self._app = app
        self._endpoints = endpoints
        self._handlers = handlers
        self._took = took
        self._traces = traces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        endpoint = self._endpoints.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if endpoint is None:
            await self._app(scope, receive, send)
            return
        started_s = time.perf_counter()
        response, fault = await self._answer(endpoint, scope, receive, send)
        self._took(scope["path"], response.status_code, time.perf_counter() - started_s)
        await response(scope, receive, send)
        if fault is not None:  # answered, and the server's to log
            raise fault

    async def _answer(
        self, endpoint: Endpoint, scope: Scope, receive: Receive, send: Send
    ) -> tuple[Response, Exception | None]:
        if self._traces is None:
            return await self._answered(endpoint, Request(scope, receive, send))
        asked = traceparent_of(Headers(scope=scope).get(_TRACEPARENT))
        path: str = scope["path"]
        with self._traces.request(f"POST {path}", path.rpartition("/")[2], asked) as traceparent:
            others = [(name, value) for name, value in scope["headers"] if name != _TRACEPARENT.encode()]
            headers = [*others, (_TRACEPARENT.encode(), traceparent.encode())]
            return await self._answered(endpoint, Request({**scope, "headers": headers}, receive, send))

    async def _answered(self, endpoint: Endpoint, request: Request) -> tuple[Response, Exception | None]:
        """Give the answer, and the fault of ours that it is the answer to."""
        try:
            return await endpoint(request), None
        except Exception as error:  # noqa: BLE001 - answered as any, and raised once it is
            kind = next(kind for kind in type(error).__mro__ if kind in self._handlers)
            response: Response = await self._handlers[kind](request, error)
            return response, error if kind is Exception else None
