"""The engine's contracts, by their names, on a real Redis."""

import ast
import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec import Struct
from tests.support.places import Ask
from tests.support.places import pipe as places
from tests.support.streams import is_length

import headrace.kernel
from headrace import Pipe, To
from headrace.bus.redis.bus import RedisBus
from headrace.bus.redis.keys import Keys
from headrace.kernel.clock import SystemClock
from headrace.reply.waiters import Waiters
from headrace.runtime.client import Client
from headrace.runtime.compose import beside, connected, consuming, coordinating
from headrace.runtime.followers import Followers
from headrace.testing.wait import wait_until
from headrace.wire.envelope import Framing


@pytest.fixture
async def bus(redis_url: str, namespace: str) -> AsyncIterator[RedisBus]:
    bus = RedisBus(redis_url, namespace=namespace)
    yield bus
    await bus.aclose()


class Order(Struct):
    number: int


class Priced(Struct):
    cents: int


class Packed(Struct):
    boxes: int


class Billed(Struct):
    cents: int


def shop() -> Pipe:
    pipe = Pipe("shop")

    @pipe.node(group="front")
    async def price(order: Order) -> list[Priced | Packed | To]:
        return [Priced(order.number * 100), Packed(1), To("audit", Billed(0))]

    @pipe.node(group="billing")
    async def bill(priced: Priced) -> Billed:
        return Billed(priced.cents)

    @pipe.node(group="store")
    async def pack(packed: Packed) -> None:
        pass

    @pipe.node(group="audit", name="audit")
    async def audit(billed: Billed) -> None:
        pass

    return pipe


def test_eng_reply_01_the_runner_knows_no_waiter() -> None:
    kernel = Path(headrace.kernel.__file__).parent
    imported = {
        name
        for file in kernel.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ImportFrom | ast.Import)
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
    }
    above = ("headrace.reply", "headrace.bus", "headrace.runtime", "headrace.settings")
    assert "headrace.ledger.values" in imported
    assert [name for name in imported if str(name).startswith(above)] == []


async def test_eng_reply_02_only_the_coordinator_completes_a_waiter(
    bus: RedisBus, redis_url: str, namespace: str
) -> None:
    plan = places.compile({"see": "one", "stay": "one", "tell": "one"})
    async with consuming(plan, bus, Framing(), ("one",)), connected(plan, bus, Framing()) as client:
        asked = asyncio.create_task(client.run(Ask("hello")))
        has_ended = is_length(redis_url, Keys(namespace, 0).replies, 1)
        await wait_until(has_ended, description="the run's terminal event is there")
        assert not asked.done()
        async with coordinating(bus) as coordinator:
            assert (await asked).text == "hello"
        assert coordinator.counts["delivered"] == 1


async def test_eng_reply_03_a_message_without_a_target_registers_its_waiter_where_an_answer_is_asked_for(
    bus: RedisBus,
) -> None:
    plan = places.compile()
    waiters = Waiters(bus, "gateway-1")
    async with beside(bus, waiters):
        client = Client(plan, bus, waiters, Followers(bus), framing=Framing(), clock=SystemClock())
        ((waited, future),) = await client.ask_all([Ask("hello")])
        unwaited = await client.submit(Ask("hello"))
        assert await bus.waiters([waited, unwaited]) == [("gateway-1",), ()]
        waiters.discard(waited, future)


async def test_eng_placement_01_each_output_goes_to_the_group_of_its_own_target(bus: RedisBus) -> None:
    plan = shop().compile()
    waiters = Waiters(bus, "nobody")
    async with consuming(plan, bus, Framing(), ("front",)):
        await Client(plan, bus, waiters, Followers(bus), framing=Framing()).submit(Order(7))
        await wait_until(lambda: backlogs_are(bus, "shop", front=0, billing=1, store=1, audit=1), description="routed")


async def test_eng_placement_01_a_placement_given_at_deployment_wins_over_the_code(bus: RedisBus) -> None:
    plan = shop().compile({"bill": "store"})
    waiters = Waiters(bus, "nobody")
    async with consuming(plan, bus, Framing(), ("front",)):
        await Client(plan, bus, waiters, Followers(bus), framing=Framing()).submit(Order(7))
        await wait_until(lambda: backlogs_are(bus, "shop", front=0, billing=0, store=2, audit=1), description="routed")


async def backlogs_are(bus: RedisBus, pipe: str, **expected: int) -> bool:
    return {group: await bus.backlog(f"{pipe}.{group}") for group in expected} == expected
