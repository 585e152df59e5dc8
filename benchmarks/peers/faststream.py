"""FastStream on Redis Streams: a consumer group a role, acknowledged by message, msgspec as its serializer, uvloop.

https://faststream.ag2.ai/latest/redis/streams/groups/ and /redis/rpc/
"""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from benchmarks.count import count
from benchmarks.message import TYPED, Order
from benchmarks.peers.client import BATCH, URL, Client
from fast_depends.msgspec import MsgSpecSerializer
from faststream import FastStream
from faststream.redis import RedisBroker, StreamSub
from redis.asyncio import Redis

ROLE = os.environ.get("BENCH_ROLE", "")  # what this process consumes; a client consumes nothing

broker = RedisBroker(URL, serializer=MsgSpecSerializer(use_fastdepends_errors=False), logger=None, max_connections=512)
app = FastStream(broker, logger=None)


def _stream(name: str) -> StreamSub:
    # some 100 at a time; it creates its group at `last_id`, so that what was sent before it started is read
    return StreamSub(name, group="workers", consumer=f"worker-{os.getpid()}", max_records=BATCH, last_id="0")


if ROLE == "sink":

    @broker.subscriber(stream=_stream("sink"))
    async def sink(order: Order) -> None:
        count()


if ROLE == "ask":

    @broker.subscriber(stream=_stream("ask"))
    async def answer(order: Order) -> Order:
        return order


if ROLE == "first":

    @broker.subscriber(stream=_stream("first"))
    @broker.publisher(stream="second")
    async def first(order: Order) -> Order:
        return order


if ROLE == "second":

    @broker.subscriber(stream=_stream("second"))
    async def second(order: Order) -> None:
        count()


class _FastStream:
    async def fill(self, role: str, messages: int) -> None:
        async with Redis.from_url(URL).pipeline(transaction=False) as pipeline:
            for number in range(1, messages + 1):
                await broker.publish(TYPED, stream=role, pipeline=pipeline)
                if number % BATCH == 0:
                    await pipeline.execute()
            await pipeline.execute()

    async def ask(self) -> Any:
        reply = await broker.request(TYPED, stream="ask", timeout=30)
        return await reply.decode()

    async def fan_out(self, width: int) -> Any:
        raise NotImplementedError("it joins nothing")


@asynccontextmanager
async def connect() -> AsyncGenerator[Client]:
    async with broker:
        yield _FastStream()
