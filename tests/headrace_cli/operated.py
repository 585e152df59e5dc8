"""A pipe that operators have to do with, and its runs in the states that they find them in."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from msgspec import Struct

from headrace.bus.redis.bus import RedisBus
from headrace.graph.options import Gather, Signal, Suspend
from headrace.graph.pipe import Pipe
from headrace.runtime.client import Client
from headrace.runtime.compose import connected, consuming, coordinating
from headrace.testing.wait import wait_until
from headrace.wire.envelope import Framing

APP = "tests.headrace_cli.operated:pipe"


class Order(Struct):
    value: int


class Approval(Struct):
    by: str


class Approved(Struct):
    value: int
    by: str


class Part(Struct):
    value: int


class Sum(Struct):
    value: int


pipe = Pipe("orders")
gives_up = {-1}  # orders that fail; a test mends the node by emptying it


@pipe.node(group="office")
async def approve(order: Order, approval: Signal[Approval]) -> Approved | Suspend:
    if order.value in gives_up:
        raise ValueError("the secret in the text")
    return Approved(order.value, approval.by) if approval else Suspend("approval")


@pipe.node(group="store")
async def split(approved: Approved) -> list[Part]:
    return [Part(number) for number in range(approved.value)]


@pipe.node(group="store")
async def total(parts: Gather[Part]) -> Sum:
    return Sum(sum(part.value for part in parts))


@asynccontextmanager
async def at_work(url: str, namespace: str) -> AsyncGenerator[Client]:
    """Run the whole pipe in this process."""
    plan, framing = pipe.compile(), Framing()
    bus = RedisBus(url, namespace=namespace)
    async with (
        consuming(plan, bus, framing, tuple(plan.groups)),
        coordinating(bus),
        connected(plan, bus, framing) as it,
    ):
        yield it
    await bus.aclose()


def fail(url: str, namespace: str, count: int = 1) -> list[str]:
    """Run orders that fail; gives their trace_ids, in order."""

    async def failing() -> list[str]:
        async with at_work(url, namespace) as client:
            return [(await client.ask(Order(-1)))[0] for _ in range(count)]

    return asyncio.run(failing())


def suspend(url: str, namespace: str) -> str:
    """Run an order until it waits for its approval; gives its trace_id."""

    async def suspending() -> str:
        async with at_work(url, namespace) as client:
            trace_id = await client.submit(Order(3))

            async def is_parked() -> bool:
                view = await client.view(trace_id)
                bus: RedisBus = client._bus  # type: ignore[assignment]  # the one of `at_work`
                return view is not None and await bus.backlog("orders.office") == 0

            await wait_until(is_parked, description="the order waits for its approval")
            return trace_id

    return asyncio.run(suspending())


def finish(url: str, namespace: str, trace_id: str) -> bytes | None:
    """Let the workers do what there is; gives a run's result."""

    async def finishing() -> bytes | None:
        async with at_work(url, namespace) as client:
            return client.result_json(trace_id, await client.wait(trace_id, 10))

    return asyncio.run(finishing())
