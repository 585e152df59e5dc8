"""A deployment to look at: Redis, a gateway as a process, and workers in a thread, with runs in every state."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from threading import Thread

from tests.headrace_gateway.console.shop import PINGS, SHOP, Order, Ping, pings, shop
from tests.headrace_gateway.credentials import write_keys
from tests.support.services import Service, services

from headrace.bus.redis.bus import RedisBus
from headrace.graph.pipe import Pipe
from headrace.runtime.bulk import run_all
from headrace.runtime.client import Client
from headrace.runtime.compose import connected, consuming, coordinating
from headrace.runtime.submissions import Options
from headrace.wire.envelope import Framing

BROKEN = "<b>broken</b>"
WAITING = 7  # orders that nobody ships


class Stage:
    """What is there: a URL, keys by caller, trace_ids."""

    def __init__(self, bus_url: str, namespace: str) -> None:
        self.bus_url, self.namespace = bus_url, namespace
        self.url = ""
        self.keys: dict[str, str] = {}
        self.shipped = self.broken = ""


async def fill(stage: Stage, runs: int) -> None:
    """Leave orders that wait to be shipped, two that are broken, one that was refused, and pings that have ended."""
    bus, framing = RedisBus(stage.bus_url, namespace=stage.namespace), Framing()
    async with AsyncExitStack() as parts:
        parts.push_async_callback(bus.aclose)

        async def client_of(pipe: Pipe, groups: Iterable[str]) -> Client:
            plan = pipe.compile()
            await parts.enter_async_context(consuming(plan, bus, framing, tuple(groups)))
            return await parts.enter_async_context(connected(plan, bus, framing))

        await parts.enter_async_context(coordinating(bus))
        shopping = await client_of(shop, shop.compile().groups)
        followed = Options(keeps_events=True)
        stage.shipped, _ = await shopping.ask(Order(3), options=followed)
        stage.broken, _ = await shopping.ask(Order(2, BROKEN), options=followed)
        await shopping.ask(Order(2, BROKEN))
        await shopping.ask(Order(1, "stolen"))
        pinging = await client_of(pings, tuple(pings.compile().groups))
        async for _ in run_all(pinging, (Ping(number) for number in range(runs))):
            pass


@contextmanager
def working(stage: Stage, groups: Sequence[str]) -> Iterator[None]:
    """Consume groups of the shop in a thread."""
    ready: Future[None] = Future()
    stop: Future[None] = Future()

    async def work() -> None:
        bus, framing, stopping = RedisBus(stage.bus_url, namespace=stage.namespace), Framing(), asyncio.Event()
        loop = asyncio.get_running_loop()
        stop.add_done_callback(lambda _: loop.call_soon_threadsafe(stopping.set))
        async with consuming(shop.compile(), bus, framing, tuple(groups)), coordinating(bus):
            ready.set_result(None)
            await stopping.wait()
        await bus.aclose()

    thread = Thread(target=asyncio.run, args=(work(),))
    thread.start()
    try:
        ready.result(timeout=20)
        yield
    finally:
        stop.set_result(None)
        thread.join()


async def order(stage: Stage, count: int) -> None:
    """Start orders."""
    bus = RedisBus(stage.bus_url, namespace=stage.namespace)
    async with connected(shop.compile(), bus, Framing()) as client:
        for _ in range(count):
            await client.submit(Order(3))
    await bus.aclose()


@contextmanager
def staged(bus_url: str, namespace: str, folder: Path, *, runs: int) -> Iterator[Stage]:
    """Set all up; every group but shipping has a worker."""
    stage = Stage(bus_url, namespace)
    keys = folder / "keys.toml"
    stage.keys = write_keys(keys, root=["admin:*"], reader=["read:*"], shopkeeper=["admin:shop"])
    settings = {"bus_url": bus_url, "namespace": namespace, "app": f"{SHOP},{PINGS}", "port": "0"}
    gateway = Service("gateway", api_keys_file=str(keys), **settings)
    with services(gateway), working(stage, ["intake", "pricing", "risk", "billing"]):
        stage.url = _url(gateway)
        asyncio.run(fill(stage, runs))
        asyncio.run(order(stage, WAITING))
        yield stage


def _url(gateway: Service) -> str:
    return (
        gateway.log.partition('"url":"')[2].partition('"')[0] or gateway.log.partition('"url": "')[2].partition('"')[0]
    )
