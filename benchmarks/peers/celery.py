"""Celery on Redis, acknowledged late, with the prefetch that its guide advises for many short tasks.

https://docs.celeryq.dev/en/stable/userguide/optimizing.html
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from benchmarks.count import count
from benchmarks.message import ORDER
from benchmarks.peers.client import URL, Client, Threads
from celery import Celery, chord

app = Celery("bench", broker=URL, backend=URL)
app.conf.update(
    task_acks_late=True,
    worker_prefetch_multiplier=128,
    task_store_errors_even_if_ignored=False,
    result_expires=60,
    worker_send_task_events=False,
    broker_connection_retry_on_startup=True,
    broker_pool_limit=64,
    redis_max_connections=256,
)


@app.task(name="sink", ignore_result=True)
def sink(order: dict[str, Any]) -> None:
    count()


@app.task(name="ask")
def answer(order: dict[str, Any]) -> dict[str, Any]:
    return order


@app.task(name="first", ignore_result=True)
def first(order: dict[str, Any]) -> None:
    second.apply_async((order,), queue="second")


@app.task(name="second", ignore_result=True)
def second(order: dict[str, Any]) -> None:
    count()


@app.task(name="piece")
def piece(order: dict[str, Any]) -> int:
    return int(order["id"])


@app.task(name="join")
def join(ids: list[int]) -> int:
    return sum(ids)


class _Celery:
    def __init__(self) -> None:
        self._threads = Threads()

    async def fill(self, role: str, messages: int) -> None:
        await self._threads.run(self._fill, role, messages)

    async def ask(self) -> Any:
        return await self._threads.run(_ask)

    async def fan_out(self, width: int) -> Any:
        return await self._threads.run(_fan_out, width)

    def _fill(self, role: str, messages: int) -> None:
        task = sink if role == "sink" else first
        with app.producer_pool.acquire(block=True) as producer:
            for _ in range(messages):
                task.apply_async((ORDER,), queue=role, producer=producer)


def _ask() -> Any:
    return answer.apply_async((ORDER,), queue="ask").get(timeout=30)


def _fan_out(width: int) -> Any:
    work = chord(piece.s(ORDER).set(queue="fan") for _ in range(width))
    return work(join.s().set(queue="fan")).get(timeout=60)


@asynccontextmanager
async def connect() -> AsyncGenerator[Client]:
    yield _Celery()
