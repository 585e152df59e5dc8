"""The Redis bus for who works, and which groups are paused: `bus.protocol.Roster`. All of it in the first partition."""

from collections.abc import Mapping
from typing import Any

import msgspec

from headrace.bus.protocol import Presence
from headrace.bus.redis.scripts import Value
from headrace.bus.redis.server import Server

_FORGOTTEN_MS = 60_000
_MS = 1000


class RedisRoster:
    """Keeps the roster.

    Args:
        server: Shared with the other parts.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._attending: set[str] = set()

    async def attend(self, presence: Presence) -> bool:
        keys = self._server.keys[0]
        begins = presence.worker not in self._attending
        blob = msgspec.json.encode(presence)
        args: list[Value] = [presence.worker, presence.group, blob, int(begins), _FORGOTTEN_MS]
        async with self._server.connections.errors():
            is_paused = await self._server.scripts.run("attend", [keys.workers, keys.paused], args)
        self._attending.add(presence.worker)
        return bool(is_paused)

    async def depart(self, worker: str) -> None:
        self._attending.discard(worker)
        async with self._server.connections.errors():
            await self._server.connections.commands.hdel(self._server.keys[0].workers, worker)

    async def present(self, *, within_s: float) -> list[Presence]:
        commands = self._server.connections.commands
        async with self._server.connections.errors():
            raw: Any = await commands.hgetall(self._server.keys[0].workers)
            seconds, microseconds = await commands.time()
        since_ms = int(seconds) * _MS + int(microseconds) // _MS - within_s * _MS
        return [presence for said_ms, presence in read_roster(raw) if said_ms >= since_ms]

    async def pause(self, group: str) -> bool:
        commands = self._server.connections.commands
        async with self._server.connections.errors():
            seconds, microseconds = await commands.time()
            now_ms = int(seconds) * _MS + int(microseconds) // _MS
            return bool(await commands.hsetnx(self._server.keys[0].paused, group, now_ms))

    async def resume(self, group: str) -> bool:
        async with self._server.connections.errors():
            return bool(await self._server.connections.commands.hdel(self._server.keys[0].paused, group))


def read_roster(fields: Mapping[bytes, bytes]) -> list[tuple[int, Presence]]:
    """Read the `workers` key: when each said that it is there, and what it said, by name."""
    found: list[tuple[int, Presence]] = []
    for _, record in sorted(fields.items()):
        said_ms, _, blob = record.partition(b" ")
        found.append((int(said_ms), msgspec.json.decode(blob, type=Presence)))
    return found
