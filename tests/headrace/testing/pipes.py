"""Pipes that the tests of the harness try out: right ones, and ones that break in a known way."""

import asyncio
from collections import Counter

from msgspec import Struct

from headrace import Drop, Pipe, Retry, State
from headrace.testing.wait import wait_until


class Order(Struct, frozen=True):
    id: int
    customer: str = "ada"


class Approved(Struct, frozen=True):
    id: int


class Receipt(Struct, frozen=True):
    id: int
    charges: int = 1


class Place(Struct, frozen=True):
    at: int


class Count(Struct):
    n: int = 0


def orders() -> Pipe:
    pipe = Pipe("orders")

    @pipe.node
    async def check(order: Order) -> Approved | Drop:
        return Approved(order.id) if order.id > 0 else Drop()

    @pipe.node
    def charge(order: Approved) -> Receipt:
        return Receipt(order.id)

    return pipe


def charging(charges: Counter[int]) -> Pipe:
    """A pipe whose second node charges once a call, and tells how often it has."""
    pipe = Pipe("charging")

    @pipe.node
    async def check(order: Order) -> Approved:
        return Approved(order.id)

    @pipe.node
    async def charge(order: Approved) -> Receipt:
        charges[order.id] += 1
        return Receipt(order.id, charges[order.id])

    return pipe


def fan_out() -> Pipe:
    """Three orders of one message, numbered by a keyed node whose last one answers."""
    pipe = Pipe("fan_out")

    @pipe.node
    async def split(order: Order) -> list[Approved]:
        return [Approved(order.id), Approved(order.id), Approved(order.id)]

    @pipe.node(key="id")
    async def number(_: Approved, count: State[Count]) -> Place | None:
        count.n += 1
        await asyncio.sleep(0)
        return Place(count.n) if count.n == 3 else None

    return pipe


def by_arrival() -> Pipe:
    """Numbers two orders as they arrive: at first the second one overtakes, and in the next deployment it does not."""
    pipe = Pipe("by_arrival")
    numbered: list[Approved] = []

    @pipe.node
    async def look(order: Order) -> Approved:
        last = 1 if len(numbered) < 2 else 2
        if order.id == last:
            await wait_until(lambda: len(numbered) % 2 == 1, description="the other order is numbered")
        return Approved(order.id)

    @pipe.node(key=_all)
    async def number(order: Approved, count: State[Count]) -> Place:
        numbered.append(order)
        count.n += 1
        return Place(count.n)

    return pipe


def by_ingress() -> Pipe:
    """Numbers orders as they were submitted."""
    pipe = Pipe("by_ingress")

    @pipe.node
    async def look(order: Order) -> Approved:
        await asyncio.sleep(0.002 if order.id == 1 else 0)
        return Approved(order.id)

    @pipe.node(key=_all, order="ingress")
    async def number(_: Approved, count: State[Count]) -> Place:
        count.n += 1
        return Place(count.n)

    return pipe


def retrying(*, backoff_s: float) -> Pipe:
    pipe = Pipe("retrying")
    calls: Counter[int] = Counter()

    @pipe.node(retry=Retry(attempts=3, backoff=backoff_s))
    async def charge(order: Order) -> Receipt:
        calls[order.id] += 1
        if calls[order.id] < 3:
            raise ConnectionError
        return Receipt(order.id, calls[order.id])

    return pipe


def failing() -> Pipe:
    pipe = Pipe("failing")

    @pipe.node
    async def charge(order: Order) -> Receipt:
        raise ZeroDivisionError

    return pipe


def _all(_: object) -> str:
    return "all"
