"""Who listens for abandoned runs, and how far each has heard: what makes the answer to a cancellation true (I8)."""

import asyncio
import time
from typing import Any

from headrace.bus.redis.keys import Keys
from headrace.bus.redis.scripts import Value
from headrace.bus.redis.server import Server

_SILENT_MS = 5_000  # a listener asks about once a second; after this it is taken for dead
_FORGOTTEN_MS = 60_000  # and after this its record may be thrown away
_PATIENCE_S = 3.0
_POLL_S = 0.002
_NOTHING = "0-0"
_STALE_S = 60.0  # entries of the control stream are kept for two minutes; who was away longer must begin anew


class Listeners:
    """Listens in the name of a process, and asks who has heard.

    Args:
        server: Shared with the other parts.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._heard: dict[str, dict[str, str]] = {}
        self._called_s = 0.0

    async def abandoned(self, listener: str, wait_s: float) -> list[str]:
        """Give the runs abandoned since the last call; all that there are at the first, or after long silence."""
        now_s = time.monotonic()
        is_stale = now_s - self._called_s > _STALE_S
        self._called_s = now_s
        async with self._server.connections.errors():
            heard = self._heard.get(listener)
            if heard is None or is_stale:
                return await self._begin(listener)
            await self._say(listener, heard)
        raw = await self._server.read(("XREAD", "COUNT", 1000), heard, wait_s)
        found: list[str] = []
        for stream, entries in raw:
            heard[stream.decode()] = entries[-1][0].decode()
            found += [fields[1].decode() for _, fields in entries if fields is not None]
        return found

    async def leave(self, listener: str) -> None:
        """Take a listener back."""
        self._heard.pop(listener, None)
        async with self._server.connections.errors():
            for keys in self._server.keys:
                await self._server.connections.commands.hdel(keys.listeners, listener)

    async def have_heard(self, keys: Keys) -> None:
        """Wait, a few seconds at most, until every live listener has dealt with what stands in the control stream."""
        async with self._server.connections.errors():
            last = await self._last(keys)
            give_up_s = time.monotonic() + _PATIENCE_S
            while time.monotonic() < give_up_s and await self._someone_is_behind(keys, last):  # noqa: ASYNC110 - it is others that say so, on the server
                await asyncio.sleep(_POLL_S)

    async def _begin(self, listener: str) -> list[str]:
        heard: dict[str, str] = {}
        found: list[str] = []
        for keys in self._server.keys:
            heard[keys.control] = await self._last(keys)  # first this, so that nothing falls between
            members: Any = await self._server.connections.commands.smembers(keys.abandoned)
            for member in members:
                trace_id = member.decode()
                if await self._server.connections.commands.exists(keys.run(trace_id)[0]):
                    found.append(trace_id)
                else:  # its work went with a stream that somebody deleted, and its record has aged
                    await self._server.connections.commands.srem(keys.abandoned, trace_id)
            await self._hear(keys, listener, _NOTHING, begins=True)  # what it learns now it is yet to deal with
        self._heard[listener] = heard
        return found

    async def _say(self, listener: str, heard: dict[str, str]) -> None:
        for keys in self._server.keys:
            await self._hear(keys, listener, heard[keys.control], begins=False)

    async def _hear(self, keys: Keys, listener: str, entry_id: str, *, begins: bool) -> None:
        args: list[Value] = [listener, entry_id, int(begins), _FORGOTTEN_MS]
        await self._server.scripts.run("hear", [keys.listeners], args)

    async def _last(self, keys: Keys) -> str:
        entries: Any = await self._server.connections.commands.xrevrange(keys.control, count=1)
        return entries[0][0].decode() if entries else _NOTHING

    async def _someone_is_behind(self, keys: Keys, last: str) -> bool:
        commands = self._server.connections.commands
        seconds, _ = await commands.time()
        records: Any = await commands.hgetall(keys.listeners)
        for record in records.values():
            heard, said_ms = record.decode().split()
            if int(seconds) * 1000 - int(said_ms) < _SILENT_MS and _order(heard) < _order(last):
                return True
        return False


def _order(entry_id: str) -> tuple[int, ...]:
    return tuple(map(int, entry_id.split("-")))
