"""ARQ on Redis; a job leaves the queue when it has finished. Polls as often as it can without doing nothing else.

https://arq-docs.helpmanual.io
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from arq import create_pool
from arq.connections import ArqRedis, RedisSettings
from benchmarks.count import count
from benchmarks.message import ORDER
from benchmarks.peers.client import BATCH, URL, Client
from msgspec import msgpack

_LOOK_S = 0.002  # between looks for a result
QUIET = {"version": 1, "disable_existing_loggers": True}  # it would log two lines a job
_ASIDE = RedisSettings.from_dsn(URL)


async def sink(ctx: Any, order: dict[str, Any]) -> None:
    count()


async def answer(ctx: Any, order: dict[str, Any]) -> dict[str, Any]:
    return order


async def first(ctx: Any, order: dict[str, Any]) -> None:
    await ctx["redis"].enqueue_job("second", order, _queue_name="second")


async def second(ctx: Any, order: dict[str, Any]) -> None:
    count()


async def piece(ctx: Any, order: dict[str, Any]) -> int:
    return int(order["id"])


def _settings(function: Any, queue: str, *, keep_result_s: int = 0) -> type:
    """Make a settings class; its worker reads no inherited attribute."""
    attributes = {
        "functions": (function,),
        "queue_name": queue,
        "keep_result": keep_result_s,
        "redis_settings": _ASIDE,
        "max_jobs": 100,
        "poll_delay": 0.005,
        "log_results": False,
        "job_serializer": msgpack.encode,
        "job_deserializer": msgpack.decode,
    }
    return type("Settings", (), attributes)


Sink = _settings(sink, "sink")
Ask = _settings(answer, "ask", keep_result_s=60)
First = _settings(first, "first")
Second = _settings(second, "second")
Fan = _settings(piece, "fan", keep_result_s=60)


class _Arq:
    def __init__(self, pool: ArqRedis) -> None:
        self._pool = pool

    async def fill(self, role: str, messages: int) -> None:
        for start in range(0, messages, BATCH):
            number = min(BATCH, messages - start)
            await asyncio.gather(*(self._pool.enqueue_job(role, ORDER, _queue_name=role) for _ in range(number)))

    async def ask(self) -> Any:
        return await self._run("answer", "ask")

    async def fan_out(self, width: int) -> int:
        return sum(await asyncio.gather(*(self._run("piece", "fan") for _ in range(width))))

    async def _run(self, name: str, queue: str) -> Any:
        job = await self._pool.enqueue_job(name, ORDER, _queue_name=queue)
        return await job.result(timeout=60, poll_delay=_LOOK_S) if job else None


@asynccontextmanager
async def connect() -> AsyncGenerator[Client]:
    coders: Any = {"job_serializer": msgpack.encode, "job_deserializer": msgpack.decode}
    pool = await create_pool(_ASIDE, **coders)
    yield _Arq(pool)
    await pool.aclose()
