"""Taskiq on Redis Streams: its broker with acknowledgements, after the result is saved. uvloop, as its worker prefers.

https://github.com/taskiq-python/taskiq-redis
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from benchmarks.count import count
from benchmarks.message import ORDER
from benchmarks.peers.client import BATCH, URL, Client
from taskiq import gather
from taskiq.serializers import ORJSONSerializer
from taskiq_redis import RedisAsyncResultBackend, RedisStreamBroker

_LOOK_S = 0.002  # between looks for a result, which is polled for: short, as its users do who want it soon


def _broker(queue: str) -> RedisStreamBroker:
    return RedisStreamBroker(URL, queue_name=queue, consumer_id="0").with_serializer(ORJSONSerializer())


def _results() -> RedisAsyncResultBackend[Any]:
    return RedisAsyncResultBackend(URL, keep_results=False, result_ex_time=60, serializer=ORJSONSerializer())


sinks = _broker("sink")
firsts = _broker("first")
seconds = _broker("second")
asks = _broker("ask").with_result_backend(_results())
fans = _broker("fan").with_result_backend(_results())


@sinks.task
async def sink(order: dict[str, Any]) -> None:
    count()


@asks.task
async def answer(order: dict[str, Any]) -> dict[str, Any]:
    return order


@firsts.task
async def first(order: dict[str, Any]) -> None:
    await second.kiq(order)


@seconds.task
async def second(order: dict[str, Any]) -> None:
    count()


@fans.task
async def piece(order: dict[str, Any]) -> int:
    return int(order["id"])


class _Taskiq:
    async def fill(self, role: str, messages: int) -> None:
        task = sink if role == "sink" else first
        for start in range(0, messages, BATCH):
            await asyncio.gather(*(task.kiq(ORDER) for _ in range(min(BATCH, messages - start))))

    async def ask(self) -> Any:
        task = await answer.kiq(ORDER)
        return (await task.wait_result(check_interval=_LOOK_S, timeout=30)).return_value

    async def fan_out(self, width: int) -> int:
        tasks = await asyncio.gather(*(piece.kiq(ORDER) for _ in range(width)))
        results = await gather(*tasks, timeout=60, periodicity=_LOOK_S)
        return sum(result.return_value for result in results)


@asynccontextmanager
async def connect() -> AsyncGenerator[Client]:
    brokers = (sinks, asks, firsts, seconds, fans)
    for broker in brokers:
        await broker.startup()
    yield _Taskiq()
    for broker in brokers:
        await broker.shutdown()
