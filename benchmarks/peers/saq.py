"""SAQ on Redis; a job is out of `active` when it has finished.

https://saq-py.readthedocs.io
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from benchmarks.count import count
from benchmarks.message import ORDER
from benchmarks.peers.client import BATCH, URL, Client
from msgspec import json
from redis.asyncio import Redis
from saq import Queue
from saq.queue.redis import RedisQueue

_CONCURRENCY = 100
_LOOK_S = 0.002  # between looks for a result, which is polled for
_NO_RESULT = {"ttl": -1}


def _queue(name: str) -> RedisQueue:
    return RedisQueue(Redis.from_url(URL), name, dump=json.encode, load=json.decode, max_concurrent_ops=_CONCURRENCY)


sinks, asks, firsts, seconds, fans = (_queue(name) for name in ("sink", "ask", "first", "second", "fan"))


async def sink(ctx: Any, *, order: dict[str, Any]) -> None:
    count()


async def answer(ctx: Any, *, order: dict[str, Any]) -> dict[str, Any]:
    return order


async def first(ctx: Any, *, order: dict[str, Any]) -> None:
    await seconds.enqueue("second", order=order, **_NO_RESULT)


async def second(ctx: Any, *, order: dict[str, Any]) -> None:
    count()


async def piece(ctx: Any, *, order: dict[str, Any]) -> int:
    return int(order["id"])


def _settings(queue: Queue, *functions: Any) -> dict[str, Any]:
    return {"queue": queue, "functions": functions, "concurrency": _CONCURRENCY}


sink_settings = _settings(sinks, sink)
ask_settings = _settings(asks, answer)
first_settings = _settings(firsts, first)
second_settings = _settings(seconds, second)
fan_settings = _settings(fans, piece)


class _Saq:
    async def fill(self, role: str, messages: int) -> None:
        queue = sinks if role == "sink" else firsts
        for start in range(0, messages, BATCH):
            sending = (queue.enqueue(role, order=ORDER, **_NO_RESULT) for _ in range(min(BATCH, messages - start)))
            await asyncio.gather(*sending)

    async def ask(self) -> Any:
        return await asks.apply("answer", order=ORDER, timeout=30, poll_interval=_LOOK_S)

    async def fan_out(self, width: int) -> int:
        return sum(await fans.map("piece", [{"order": ORDER}] * width, timeout=60, poll_interval=_LOOK_S))


@asynccontextmanager
async def connect() -> AsyncGenerator[Client]:
    queues = (sinks, asks, firsts, seconds, fans)
    for queue in queues:
        await queue.connect()
    yield _Saq()
    for queue in queues:
        await queue.disconnect()
