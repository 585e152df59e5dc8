"""The gateway served over real HTTP, in a thread of its own, for clients that block."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import AsyncExitStack, contextmanager
from threading import Thread

from headrace.bus.memory.bus import MemoryBus
from headrace.graph.pipe import Pipe
from headrace.runtime.compose import consuming, coordinating
from headrace.wire.envelope import Framing
from headrace_gateway.access import Access
from headrace_gateway.app import create_app
from headrace_gateway.limits import Limits
from headrace_gateway.server import address_of, listen, serve_http


@contextmanager
def live(
    *pipes: Pipe,
    limits: Limits | None = None,
    access: Access | None = None,
    send_timeout_s: float = 30.0,
    slow_s: float = 30.0,
) -> Iterator[str]:
    """Serve pipes on the memory bus, all their groups consumed; gives the URL."""
    started: Future[str] = Future()
    stop: Future[None] = Future()

    async def serve() -> None:
        bus, framing, stopping = MemoryBus(), Framing(), asyncio.Event()
        loop = asyncio.get_running_loop()
        plans = [pipe.compile() for pipe in pipes]
        app = create_app(plans, bus, framing, limits=limits, access=access)
        stop.add_done_callback(lambda _: loop.call_soon_threadsafe(stopping.set))
        async with AsyncExitStack() as parts:
            listening = parts.enter_context(listen("127.0.0.1", 0, send_timeout_s=send_timeout_s))
            for plan in plans:
                await parts.enter_async_context(consuming(plan, bus, framing, tuple(plan.groups)))
            await parts.enter_async_context(coordinating(bus))
            url = address_of(listening)
            await serve_http(
                app,
                [listening],
                stopping,
                drain_s=1.0,
                on_started=lambda: started.set_result(url),
                send_timeout_s=slow_s,
            )

    thread = Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        yield started.result(timeout=20)
    finally:
        stop.set_result(None)
        thread.join()
