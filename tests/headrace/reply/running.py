"""What the tests of the replies share: parts that run beside a test, and runs to wait for."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from headrace.bus.protocol import Bus
from headrace.ledger.terminal import cancelled
from headrace.ledger.values import Submitted, Terminal
from headrace.reply.coordinator import ReplyCoordinator
from headrace.reply.waiters import Waiters
from headrace.testing.bus_contract import submission

DONE = cancelled()


@asynccontextmanager
async def running(bus: Bus, *parts: Waiters | ReplyCoordinator) -> AsyncGenerator[None]:
    """Run parts beside the body, then stop them and wake their readers."""
    async with asyncio.TaskGroup() as tasks:
        for part in parts:
            tasks.create_task(part.run())
        try:
            yield
        finally:
            for part in parts:
                part.stop()
            await bus.aclose()


@asynccontextmanager
async def answering(bus: Bus, inbox: str = "inbox") -> AsyncGenerator[Waiters]:
    """Run waiters and a coordinator."""
    waiters = Waiters(bus, inbox)
    async with running(bus, waiters, ReplyCoordinator(bus, "reply")):
        yield waiters


async def start(bus: Bus, trace_id: str, inbox: str = "") -> None:
    """Open a run."""
    assert await bus.submit([submission(trace_id, inbox=inbox)]) == [Submitted.NEW]


async def finish(bus: Bus, trace_id: str, terminal: Terminal = DONE) -> None:
    """End a run."""
    assert await bus.end(trace_id, terminal)
