"""The limit: the same client library with no framework. Reads, answers and acknowledges 256 messages in one round trip.

It keeps nothing of a run, has no retries, no dead letters, no state; a reply is lost with its asker.
"""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from itertools import count as numbers
from typing import Any

import uvloop
from benchmarks.count import count
from benchmarks.message import TYPED, Order
from benchmarks.peers.client import BATCH, URL, Client
from msgspec import json
from redis.asyncio import Redis
from redis.exceptions import ResponseError

_GROUP = "workers"
_BLOCK_MS = 500
_decode = json.Decoder(Order).decode


async def serve(role: str) -> None:
    """Consume a role's stream for ever."""
    reads, writes = Redis.from_url(URL), Redis.from_url(URL)
    with suppress(ResponseError):
        await writes.xgroup_create(role, _GROUP, id="0", mkstream=True)
    while True:
        read: Any = await reads.xreadgroup(_GROUP, f"worker-{os.getpid()}", {role: ">"}, BATCH, _BLOCK_MS)
        for _, entries in read:
            pipeline: Any = writes.pipeline(transaction=True)
            for _, fields in entries:
                _handle(role, fields, pipeline)
            ids = [entry_id for entry_id, _ in entries]
            pipeline.xack(role, _GROUP, *ids).xdel(role, *ids)
            await pipeline.execute()


def _handle(role: str, fields: dict[bytes, bytes], pipeline: Any) -> None:
    order = _decode(fields[b"order"])
    if role == "first":
        pipeline.xadd("second", {"order": json.encode(order)})
    elif role == "ask":
        pipeline.xadd(fields[b"inbox"], {"id": fields[b"id"], "order": json.encode(order)}, maxlen=10_000)
    else:
        count()


class _Raw:
    """Asks in batches: all that has been asked while a batch was on its way goes with the next one."""

    def __init__(self) -> None:
        self._reads, self._writes = Redis.from_url(URL), Redis.from_url(URL)
        self._inbox = f"inbox-{os.getpid()}"
        self._numbers = numbers()
        self._waiting: dict[bytes, asyncio.Future[Order]] = {}
        self._asked: list[tuple[bytes, bytes]] = []
        self._due = asyncio.Event()

    async def fill(self, role: str, messages: int) -> None:
        body = json.encode(TYPED)
        for start in range(0, messages, BATCH):
            pipeline = self._writes.pipeline(transaction=False)
            for _ in range(min(BATCH, messages - start)):
                pipeline.xadd(role, {"order": body})
            await pipeline.execute()

    async def ask(self) -> Order:
        key = b"%d" % next(self._numbers)
        future: asyncio.Future[Order] = asyncio.get_running_loop().create_future()
        self._waiting[key] = future
        self._asked.append((key, json.encode(TYPED)))
        self._due.set()
        return await future

    async def fan_out(self, width: int) -> Any:
        raise NotImplementedError("it joins nothing")

    async def send(self) -> None:
        while True:
            await self._due.wait()
            self._due.clear()
            asked, self._asked = self._asked, []
            pipeline = self._writes.pipeline(transaction=False)
            for key, body in asked:
                pipeline.xadd("ask", {"id": key, "inbox": self._inbox, "order": body})
            await pipeline.execute()

    async def hear(self) -> None:
        last: Any = "0"
        while True:
            read: Any = await self._reads.xread({self._inbox: last}, BATCH, _BLOCK_MS)
            for _, entries in read:
                for entry_id, fields in entries:
                    last = entry_id
                    self._waiting.pop(fields[b"id"]).set_result(_decode(fields[b"order"]))


@asynccontextmanager
async def connect() -> AsyncGenerator[Client]:
    client = _Raw()
    tasks = [asyncio.create_task(client.send()), asyncio.create_task(client.hear())]
    yield client
    for task in tasks:
        task.cancel()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1]))
