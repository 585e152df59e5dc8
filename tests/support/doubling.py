"""A pipeline of two groups and everything that serves it, for tests of what the bus bears."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from msgspec import Struct

from headrace import Pipe
from headrace.bus.protocol import Bus
from headrace.errors import HeadraceError
from headrace.runtime.client import Client
from headrace.runtime.compose import connected, consuming, coordinating
from headrace.runtime.consumer import ConsumerOptions
from headrace.testing.wait import wait_until
from headrace.wire.envelope import Framing

GROUPS = ("front", "back")
STREAMS = tuple(f"doubling.{group}" for group in GROUPS)


class Number(Struct):
    value: int


class Checked(Struct):
    value: int


class Doubled(Struct):
    value: int


def doubling() -> Pipe:
    pipe = Pipe("doubling")

    @pipe.node(group="front")
    async def check(number: Number) -> Checked:
        return Checked(number.value)

    @pipe.node(group="back")
    async def double(checked: Checked) -> Doubled:
        return Doubled(2 * checked.value)

    return pipe


@asynccontextmanager
async def serving(bus: Bus, *, partitions: int = 1) -> AsyncGenerator[Client]:
    """Run a worker a group, a coordinator and a client over a bus."""
    plan = doubling().compile()
    options = ConsumerOptions(lease_s=2.0)
    async with (
        consuming(plan, bus, Framing(), GROUPS, options=options),
        coordinating(bus),
        connected(plan, bus, Framing(), partitions=partitions) as client,
    ):
        yield client


async def is_answered(client: Client, value: int, *, timeout_s: float = 2.0) -> bool:
    """Tell whether a run started now is answered, and rightly."""
    try:
        doubled: Doubled = await client.run(Number(value), timeout_s=timeout_s)
    except HeadraceError:
        return False
    assert doubled == Doubled(2 * value)
    return True


async def answers_again(client: Client, *, timeout_s: float = 20) -> None:
    """Wait until runs are answered, and then that every one of several is."""
    await wait_until(lambda: is_answered(client, 1), timeout_s=timeout_s, description="a run is answered again")
    assert [await is_answered(client, value) for value in range(5)] == [True] * 5
