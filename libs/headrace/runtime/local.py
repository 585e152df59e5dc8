"""The memory profile: a pipe's groups, reply coordinator and client in one event loop, over the memory bus.

It is the deployed system in one process: the same consumers and runners, placed the same way, over another bus.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from headrace.bus.memory.bus import MemoryBus
from headrace.graph.plan import ExecutionPlan
from headrace.kernel.events import Observer
from headrace.runtime.client import Client
from headrace.runtime.compose import connected, consuming, coordinating
from headrace.wire.envelope import Framing


@asynccontextmanager
async def local(plan: ExecutionPlan, *, observers: tuple[Observer, ...] = ()) -> AsyncGenerator[Client]:
    """Run a plan in this process.

    Args:
        observers: Told of kernel events, beside the pipe's own.

    Yields:
        A client; when the context closes, what is under way is finished first.
    """
    bus = MemoryBus()
    async with (
        consuming(plan, bus, Framing(), tuple(plan.groups), observers=observers),
        coordinating(bus),
        connected(plan, bus, Framing()) as client,
    ):
        yield client
