"""A pipe that tells of itself while it runs; and the gateway over it on a real socket, with what reads its streams."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from msgspec import Struct

from headrace.bus.memory.bus import MemoryBus
from headrace.bus.protocol import Bus
from headrace.graph.options import Retry
from headrace.graph.pipe import Pipe
from headrace.kernel.context import Context
from headrace.runtime.compose import consuming, coordinating
from headrace.wire.envelope import Framing
from headrace_gateway.app import create_app
from headrace_gateway.limits import Limits
from headrace_gateway.server import address_of, listen, serve_http

PATH = "/v1/pipes/talking"
pipe = Pipe("talking")


class Ask(Struct):
    """What to say.

    Attributes:
        pause_at: After so many words the node waits until `goes_on` is there.
        fails: How often it fails before it does not.
        padding: Characters in each word.
    """

    words: int = 3
    pause_at: int = -1
    goes_on: str = ""
    fails: int = 0
    padding: int = 0


class Said(Struct):
    words: int


@pipe.node(retry=Retry(attempts=3, backoff=0.01))
async def talk(ask: Ask, ctx: Context) -> Said:
    for number in range(ask.words):
        if number == ask.pause_at:
            while not Path(ask.goes_on).exists():  # noqa: ASYNC110, ASYNC240 - another process makes it
                await asyncio.sleep(0.01)
        ctx.emit(f"{number}{'.' * ask.padding}")
        if number % 50 == 49:
            await asyncio.sleep(0)
    if ctx.attempt <= ask.fails:
        raise RuntimeError
    return Said(ask.words)


@asynccontextmanager
async def gateway(bus: Bus | None = None, *, limits: Limits | None = None) -> AsyncGenerator[str, None]:
    """Serve the pipe on a socket, in the memory profile unless a bus is given; gives the URL."""
    bus, plan, framing, stopping = bus or MemoryBus(), pipe.compile(), Framing(), asyncio.Event()
    async with AsyncExitStack() as parts:
        await parts.enter_async_context(consuming(plan, bus, framing, tuple(plan.groups)))
        await parts.enter_async_context(coordinating(bus))
        listening = parts.enter_context(listen("127.0.0.1", 0))
        app, is_up = create_app([plan], bus, framing, limits=limits), asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(serve_http(app, [listening], stopping, drain_s=1, on_started=is_up.set))
            await is_up.wait()
            try:
                yield address_of(listening)
            finally:
                stopping.set()


class Sent(Struct):
    """A server-sent event."""

    id: int
    event: str
    data: Any


async def sent(response: httpx.Response) -> AsyncGenerator[Sent, None]:
    """Read server-sent events; comments are given as events named `comment`."""
    fields: dict[str, str] = {}
    async for line in response.aiter_lines():
        name, _, value = line.partition(": ")
        if line.startswith(":"):
            yield Sent(-1, "comment", value)
        elif line:
            fields[name] = value
        elif fields:
            yield Sent(int(fields.get("id", -1)), fields["event"], json.loads(fields["data"]))
            fields = {}
