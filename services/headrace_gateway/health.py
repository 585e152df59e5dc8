"""`/livez` and `/readyz`: whether this process should be started again, and whether it should get requests."""

import asyncio
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse

from headrace.errors import BusError
from headrace.runtime.reachable import probe
from headrace_gateway.openapi import PROBLEM
from headrace_gateway.problem import problem
from headrace_gateway.served import Served

_DEAD_S = 60.0  # a reader's turn takes a second, and 15 s where the bus hangs
_PROBE_S = 2.0
_DESCRIBED: dict[str, Any] = {"response_model": None, "response_class": PlainTextResponse, "responses": {503: PROBLEM}}


def health_router(served: Served) -> APIRouter:
    """Make the routes of health."""
    router = APIRouter(tags=["health"])

    @router.get("/livez", operation_id="livez", summary="Is the process alive?", **_DESCRIBED)
    async def livez() -> Response:
        """Fail only where a restart would help: a bus that is away is none of this process's faults."""
        turn_s = served.waiters.turn_s
        idle_s = asyncio.get_running_loop().time() - turn_s if turn_s else 0.0  # its first turn is about to come
        if idle_s > _DEAD_S:
            return problem(
                HTTPStatus.SERVICE_UNAVAILABLE, "reader_dead", f"no turn of the inbox's reader for {idle_s:.0f} s"
            )
        return PlainTextResponse("ok\n")

    @router.get("/readyz", operation_id="readyz", summary="Can it serve requests?", **_DESCRIBED)
    async def readyz() -> Response:
        """Fail while the bus is away."""
        try:
            async with asyncio.timeout(_PROBE_S):
                await probe(served.bus)
        except (BusError, TimeoutError):
            return problem(HTTPStatus.SERVICE_UNAVAILABLE, "bus_unavailable", "the bus does not answer")
        return PlainTextResponse("ok\n")

    return router
