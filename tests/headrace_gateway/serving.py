"""The gateway's application over the memory bus, asked as over HTTP; no socket is opened."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
from tests.headrace_worker.app import pipe

from headrace.bus.memory.bus import MemoryBus
from headrace.bus.protocol import Bus
from headrace.runtime.compose import consuming, coordinating
from headrace.wire.envelope import Framing
from headrace_gateway.app import create_app
from headrace_gateway.served import Limits

PATH = "/v1/pipes/numbers"


@asynccontextmanager
async def serving(
    bus: Bus | None = None, *, groups: tuple[str, ...] = ("one", "two"), limits: Limits | None = None
) -> AsyncGenerator[httpx.AsyncClient, None]:
    """Serve the pipe of numbers; of its groups, only those given are consumed."""
    plan, bus, framing = pipe.compile(), bus or MemoryBus(), Framing()
    async with AsyncExitStack() as parts:
        if isinstance(bus, MemoryBus):
            await parts.enter_async_context(consuming(plan, bus, framing, groups))
            await parts.enter_async_context(coordinating(bus))
        app = create_app([plan], bus, framing, limits=limits)
        await parts.enter_async_context(app.router.lifespan_context(app))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        yield await parts.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://gateway"))


async def in_parts(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part
