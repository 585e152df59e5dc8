"""The short way of a request to a pipe's endpoint, past the framework's routing, which costs more than the endpoint.

The routes stay, for the schema and for everything else; an error becomes the same answer on either way.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import Request, Response
from starlette.types import ASGIApp, Receive, Scope, Send

Endpoint = Callable[[Request], Awaitable[Response]]
Handlers = Mapping[Any, Callable[[Request, Any], Any]]


class ShortWay:
    """Middleware that answers POST requests to some paths itself.

    Args:
        endpoints: By path.
        handlers: The application's, which turn errors into answers.
        took: Told of each request's path, the status of its answer, and the seconds until it was made.
    """

    def __init__(
        self,
        app: ASGIApp,
        endpoints: Mapping[str, Endpoint],
        handlers: Handlers,
        took: Callable[[str, int, float], object],
    ) -> None:
        self._app = app
        self._endpoints = endpoints
        self._handlers = handlers
        self._took = took

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        endpoint = self._endpoints.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if endpoint is None:
            await self._app(scope, receive, send)
            return
        request, started_s = Request(scope, receive, send), time.perf_counter()
        try:
            response = await endpoint(request)
        except Exception as error:
            answer = await self._response_of(error, request)
            if answer is None:
                raise
            response = answer
        self._took(scope["path"], response.status_code, time.perf_counter() - started_s)
        await response(scope, receive, send)

    async def _response_of(self, error: Exception, request: Request) -> Response | None:
        """Give what an error is answered with; None where only the top of the application knows."""
        for kind in type(error).__mro__:
            if kind is not Exception and kind in self._handlers:
                response: Response = await self._handlers[kind](request, error)
                return response
        return None
