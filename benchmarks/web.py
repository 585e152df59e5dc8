"""A FastAPI application in front of a peer: `BENCH_PEER` names it; without one it answers by itself."""

import os
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module

from benchmarks.message import Order
from benchmarks.peers.client import Client
from fastapi import FastAPI, Request, Response
from msgspec import json

PEER = os.environ.get("BENCH_PEER", "")
_decode = json.Decoder(Order).decode
_clients: list[Client] = []


@asynccontextmanager
async def _lifespan(_app: FastAPI) -> AsyncGenerator[None]:
    async with AsyncExitStack() as stack:
        if PEER:
            _clients.append(await stack.enter_async_context(import_module(f"benchmarks.peers.{PEER}").connect()))
        yield


app = FastAPI(lifespan=_lifespan)


@app.post("/")
async def ask(request: Request) -> Response:
    order: object = _decode(await request.body())
    if _clients:
        order = await _clients[0].ask()
    return Response(json.encode(order), media_type="application/json")
