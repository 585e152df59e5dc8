"""Headrace, one guarantee at a time: pipes of case 7. The role names the pipe."""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from benchmarks.count import count
from benchmarks.message import TYPED, Order
from benchmarks.peers.client import BATCH, URL, Client
from msgspec import Struct, structs

from headrace import Pipe, State
from headrace.bus.redis.bus import RedisBus
from headrace.runtime.submissions import PLAIN, Submissions
from headrace.settings.bus import BusSettings, framing
from headrace.settings.sources import read_settings

PARTITIONS = int(os.environ.get("HEADRACE_PARTITIONS", "1"))
KEYS = int(os.environ.get("BENCH_KEYS", "100"))
_NAP_S = 0.02


class Left(Struct):
    id: int


class Right(Struct):
    id: int


class Sum(Struct):
    amount: float = 0.0


plain = Pipe("plain")
keyed = Pipe("keyed")
stateful = Pipe("stateful")
joined = Pipe("joined")
napping = Pipe("napping")
parked = Pipe("parked")


@plain.node(group="plain")
async def take(order: Order) -> None:
    count()


@keyed.node(group="keyed", key="customer")
async def take_keyed(order: Order) -> None:
    count()


@stateful.node(group="stateful", key="customer")
async def add(order: Order, total: State[Sum]) -> None:
    total.amount += order.amount
    count()


@joined.node(group="joined")
async def left(order: Order) -> Left:
    count()  # beside the join, as that comes after all of these: the stream is worked off in order
    return Left(order.id)


@joined.node(group="joined")
async def right(order: Order) -> Right:
    return Right(order.id)


@joined.node(group="joined")
async def meet(one: Left, other: Right) -> None:
    count()


@napping.node(group="napping")
async def nap(order: Order) -> None:
    await asyncio.sleep(_NAP_S)
    count()


@parked.node(group="parked")
async def never(order: Order) -> None:
    """Its group has no worker: its runs stay open."""


PIPES = {pipe.name: pipe for pipe in (plain, keyed, stateful, joined, napping, parked)}


class _Filling:
    def __init__(self, bus: RedisBus) -> None:
        self._bus = bus

    async def fill(self, role: str, messages: int) -> None:
        plan = PIPES[role].compile()
        submissions = Submissions(plan, framing(read_settings(BusSettings, {})), partitions=PARTITIONS)
        for start in range(0, messages, BATCH):
            orders = (_order(number) for number in range(start, min(start + BATCH, messages)))
            await self._bus.submit([submissions.make(order, PLAIN, "") for order in orders])

    async def ask(self) -> Any:
        raise NotImplementedError("its workers are measured on a backlog; nobody waits for an answer")

    async def fan_out(self, width: int) -> Any:
        raise NotImplementedError("its workers are measured on a backlog; nobody waits for an answer")


def _order(number: int) -> Order:
    return structs.replace(TYPED, id=number, customer=f"customer-{number % KEYS:06}")


@asynccontextmanager
async def connect() -> AsyncGenerator[Client]:
    bus = RedisBus(URL, partitions=PARTITIONS)
    yield _Filling(bus)
    await bus.aclose()
