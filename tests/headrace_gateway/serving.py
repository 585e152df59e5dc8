"""The gateway's application over the memory bus, asked as over HTTP; no socket is opened."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
from tests.headrace_worker.app import pipe as numbers

from headrace.bus.memory.bus import MemoryBus
from headrace.bus.protocol import Bus
from headrace.graph.pipe import Pipe
from headrace.runtime.compose import consuming, coordinating
from headrace.wire.envelope import Framing
from headrace_gateway.access import Access
from headrace_gateway.app import create_app
from headrace_gateway.limits import Limits

PATH = "/v1/pipes/numbers"


@asynccontextmanager
async def serving(
    bus: Bus | None = None,
    *,
    pipes: tuple[Pipe, ...] = (numbers,),
    groups: tuple[str, ...] = ("one", "two"),
    limits: Limits | None = None,
    access: Access | None = None,
) -> AsyncGenerator[httpx.AsyncClient, None]:
    """Serve pipes, that of numbers unless others are given; of their groups, only those given are consumed."""
    plans, bus, framing = [pipe.compile() for pipe in pipes], bus or MemoryBus(), Framing()
    async with AsyncExitStack() as parts:
        if isinstance(bus, MemoryBus):
            for plan in plans:
                await parts.enter_async_context(consuming(plan, bus, framing, groups))
            await parts.enter_async_context(coordinating(bus))
        app = create_app(plans, bus, framing, limits=limits, access=access)
        await parts.enter_async_context(app.router.lifespan_context(app))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        yield await parts.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://gateway"))


async def in_parts(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part
