"""The parts of a deployment as contexts: consumers of groups, the reply coordinator, a client; over any bus.

A service opens one of them; the memory profile opens all of them in one event loop.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Protocol

from headrace.bus.memory.bus import MemoryBus
from headrace.bus.protocol import Bus
from headrace.graph.plan import ExecutionPlan
from headrace.kernel.clock import random_bytes
from headrace.kernel.events import Observer
from headrace.kernel.lifecycle import lifecycle
from headrace.kernel.runner import AsyncRunner
from headrace.reply.coordinator import ReplyCoordinator
from headrace.reply.waiters import Waiters
from headrace.runtime.client import Client
from headrace.runtime.consumer import Consumer, ConsumerOptions
from headrace.wire.envelope import Framing

_NAME_BYTES = 4


@asynccontextmanager
async def consuming(
    plan: ExecutionPlan,
    bus: Bus,
    framing: Framing,
    groups: tuple[str, ...],
    *,
    options: ConsumerOptions | None = None,
    observers: tuple[Observer, ...] = (),
) -> AsyncGenerator[tuple[Consumer, ...]]:
    """Consume groups in this event loop until the context closes; what is under way is finished first."""
    async with lifecycle(plan) as injector:
        consumers: list[Consumer] = []
        for group in groups:
            runner = AsyncRunner(plan, group, injector=injector, framing=framing, observers=observers)
            consumers.append(
                Consumer(bus, runner, plan.stream(group), instance_name(group), options or ConsumerOptions())
            )
        async with beside(bus, *consumers):
            yield tuple(consumers)


@asynccontextmanager
async def coordinating(bus: Bus) -> AsyncGenerator[ReplyCoordinator]:
    """Match terminal events to waiters in this event loop until the context closes."""
    coordinator = ReplyCoordinator(bus, instance_name("reply"))
    async with beside(bus, coordinator):
        yield coordinator


@asynccontextmanager
async def connected(plan: ExecutionPlan, bus: Bus, framing: Framing, *, partitions: int = 1) -> AsyncGenerator[Client]:
    """Give a client with waiters of its own until the context closes."""
    waiters = Waiters(bus, instance_name("client"))
    async with beside(bus, waiters):
        yield Client(plan, bus, waiters, framing=framing, partitions=partitions)


class Background(Protocol):
    """What runs beside something else until it is stopped."""

    async def run(self) -> None:
        """Run until `stop`."""
        ...

    def stop(self) -> None:
        """Ask `run` to return."""
        ...


@asynccontextmanager
async def beside(bus: Bus, *parts: Background) -> AsyncGenerator[None]:
    """Run parts beside the body of the context; when it ends, however it does, stop them and wait until they have.

    The body's own error comes out as it is; a part that crashes cancels the body and comes out in a group.
    """
    error: BaseException | None = None
    async with asyncio.TaskGroup() as tasks:
        for part in parts:
            tasks.create_task(part.run(), name=type(part).__name__)
        try:
            yield
        except BaseException as raised:  # noqa: BLE001 - raised again below, outside the group that would wrap it
            error = raised
        for part in parts:
            part.stop()
        if isinstance(bus, MemoryBus):
            await bus.aclose()  # wakes readers at once; on Redis a read under way must come back by itself
    if error is not None:
        raise error


def instance_name(role: str) -> str:
    """Make a name for a process's part on the bus, unique among live ones."""
    return f"{role}-{random_bytes(_NAME_BYTES).hex()}"
