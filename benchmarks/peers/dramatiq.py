"""Dramatiq on Redis; a message is acknowledged after its actor has returned. Results and groups as its guide shows.

https://dramatiq.io/cookbook.html#composition
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import dramatiq
from benchmarks.count import count
from benchmarks.message import ORDER
from benchmarks.peers.client import URL, Client, Threads
from dramatiq import group
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

broker = RedisBroker(url=URL)
broker.add_middleware(Results(backend=RedisBackend(url=URL), result_ttl=60_000))
dramatiq.set_broker(broker)
_TIMEOUT_MS = 60_000


@dramatiq.actor(queue_name="sink")
def sink(order: dict[str, Any]) -> None:
    count()


@dramatiq.actor(queue_name="ask", store_results=True)
def answer(order: dict[str, Any]) -> dict[str, Any]:
    return order


@dramatiq.actor(queue_name="first")
def first(order: dict[str, Any]) -> None:
    second.send(order)


@dramatiq.actor(queue_name="second")
def second(order: dict[str, Any]) -> None:
    count()


@dramatiq.actor(queue_name="fan", store_results=True)
def piece(order: dict[str, Any]) -> int:
    return int(order["id"])


class _Dramatiq:
    def __init__(self) -> None:
        self._threads = Threads()

    async def fill(self, role: str, messages: int) -> None:
        await self._threads.run(_fill, sink if role == "sink" else first, messages)

    async def ask(self) -> Any:
        return await self._threads.run(_ask)

    async def fan_out(self, width: int) -> Any:
        return await self._threads.run(_fan_out, width)


def _fill(actor: Any, messages: int) -> None:
    for _ in range(messages):
        actor.send(ORDER)


def _ask() -> Any:
    return answer.send(ORDER).get_result(block=True, timeout=_TIMEOUT_MS)


def _fan_out(width: int) -> int:
    return sum(group([piece.message(ORDER) for _ in range(width)]).run().get_results(block=True, timeout=_TIMEOUT_MS))


@asynccontextmanager
async def connect() -> AsyncGenerator[Client]:
    yield _Dramatiq()
