"""Several partitions: order and state per key hold, or the client refuses to start."""

from collections.abc import AsyncIterator
from typing import Literal

import pytest
from msgspec import Struct

from headrace import Pipe, State
from headrace.bus.redis.bus import RedisBus
from headrace.errors import SettingsError
from headrace.reply.waiters import Waiters
from headrace.runtime.client import Client
from headrace.runtime.compose import connected, consuming, coordinating
from headrace.runtime.followers import Followers
from headrace.wire.envelope import Framing
from headrace.wire.trace import partition_of

PARTITIONS = 3


class Booking(Struct):
    account: str


class Checked(Struct):
    account: str


class Balance(Struct):
    bookings: int = 0


class Booked(Struct):
    bookings: int


def bank(order: Literal["arrival", "ingress"]) -> Pipe:
    pipe = Pipe("bank")

    @pipe.node(group="front")
    async def check(booking: Booking) -> Checked:
        return Checked(booking.account)

    @pipe.node(group="books", key="account", order=order)
    async def book(checked: Checked, balance: State[Balance]) -> Booked:
        balance.bookings += 1
        return Booked(balance.bookings)

    return pipe


@pytest.fixture
async def bus(redis_url: str, namespace: str) -> AsyncIterator[RedisBus]:
    bus = RedisBus(redis_url, namespace=namespace, partitions=PARTITIONS)
    yield bus
    await bus.aclose()


async def test_the_state_of_a_key_is_exact_over_partitions(bus: RedisBus) -> None:
    plan = bank("ingress").compile()
    accounts = [f"account-{number % 5}" for number in range(60)]
    async with (
        consuming(plan, bus, Framing(), ("front", "books")),
        coordinating(bus),
        connected(plan, bus, Framing(), partitions=PARTITIONS) as client,
    ):
        asked = await client.ask_all([Booking(account) for account in accounts])
        counts = [client.result(trace, await future).bookings for trace, future in asked]
    assert counts == [number // 5 + 1 for number in range(60)]
    assert len({partition_of(trace) for trace, _ in asked}) > 1


async def test_a_pipe_whose_keys_would_be_spread_over_partitions_is_refused(bus: RedisBus) -> None:
    with pytest.raises(SettingsError, match="'partitions' is over 1, and pipe 'bank' orders work by keys"):
        Client(
            bank("arrival").compile(),
            bus,
            Waiters(bus, "nobody"),
            Followers(bus),
            framing=Framing(),
            partitions=PARTITIONS,
        )
