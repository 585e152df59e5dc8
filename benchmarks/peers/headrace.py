"""Headrace: pipes, each of whose groups is a service; shipped defaults."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from benchmarks.count import count
from benchmarks.message import TYPED, Order
from benchmarks.peers.client import BATCH, URL, Client
from msgspec import Struct

from headrace import Client as Caller
from headrace import Gather, Pipe
from headrace.bus.redis.bus import RedisBus
from headrace.runtime.compose import connected, coordinating
from headrace.runtime.submissions import PLAIN, Submissions
from headrace.wire.envelope import Framing


class Answered(Struct):
    order: Order


class Forwarded(Struct):
    order: Order


class Batch(Struct):
    width: int


class Piece(Struct):
    order: Order


class Done(Struct):
    id: int


class Total(Struct):
    total: int


one_way = Pipe("one_way")
asked = Pipe("asked")
two_hops = Pipe("two_hops")
fan = Pipe("fan")


@one_way.node(group="sink")
async def sink(order: Order) -> None:
    count()


@asked.node(group="ask")
async def answer(order: Order) -> Answered:
    return Answered(order)


@two_hops.node(group="first")
async def first(order: Order) -> Forwarded:
    return Forwarded(order)


@two_hops.node(group="second")
async def second(forwarded: Forwarded) -> None:
    count()


@fan.node(group="fan")
async def split(batch: Batch) -> list[Piece]:
    return [Piece(TYPED)] * batch.width


@fan.node(group="pieces")
async def work(piece: Piece) -> Done:
    return Done(piece.order.id)


@fan.node(group="fan")
async def join(done: Gather[Done]) -> Total:
    return Total(sum(each.id for each in done))


PIPES = {"sink": one_way, "ask": asked, "first": two_hops, "second": two_hops, "fan": fan, "pieces": fan}


class _Headrace:
    def __init__(self, bus: RedisBus, asking: Caller, fanning: Caller) -> None:
        self._bus = bus
        self._asking = asking
        self._fanning = fanning

    async def fill(self, role: str, messages: int) -> None:
        submissions = Submissions(PIPES[role].compile(), Framing(None))
        for start in range(0, messages, BATCH):
            number = min(BATCH, messages - start)
            await self._bus.submit([submissions.make(TYPED, PLAIN, "") for _ in range(number)])
            await asyncio.sleep(0)

    async def ask(self) -> Any:
        return await self._asking.run(TYPED)

    async def fan_out(self, width: int) -> Any:
        return await self._fanning.run(Batch(width), timeout_s=60)


@asynccontextmanager
async def connect() -> AsyncGenerator[Client]:
    bus, framing = RedisBus(URL), Framing(None)
    async with (
        coordinating(bus),
        connected(asked.compile(), bus, framing) as asking,
        connected(fan.compile(), bus, framing) as fanning,
    ):
        yield _Headrace(bus, asking, fanning)
    await bus.aclose()
