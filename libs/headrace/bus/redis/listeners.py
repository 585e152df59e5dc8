"""Who listens for abandoned runs, and how far each has heard: what makes the answer to a cancellation true (I8)."""

import asyncio
import time
from collections import defaultdict
from typing import Any

from msgspec import Struct

from headrace.bus.redis.keys import Keys
from headrace.bus.redis.scripts import Value
from headrace.bus.redis.server import Server

_SILENT_MS = 5_000  # a listener asks about once a second; after this it is taken for dead
_FORGOTTEN_MS = 60_000  # and after this its record may be thrown away
_PATIENCE_S = 3.0
_POLL_S = 0.002  # between looks at who has heard: most answer within this; for those who do not, ever rarer
_LONGEST_POLL_S = 0.05
_NOTHING = "0-0"
_STALE_S = 60.0  # entries of the control stream are kept for two minutes; who was away longer must begin anew


class _Slowest(Struct):
    """How far the slowest live listener had heard, when that was last looked up.

    Attributes:
        heard: None where nobody listens.
        asked_s: When the question was put; what was said in the control stream before then is answered for.
    """

    heard: tuple[int, ...] | None = None
    asked_s: float = 0.0


class Listeners:
    """Listens in the name of a process, and asks who has heard.

    Args:
        server: Shared with the other parts.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._heard: dict[str, dict[str, str]] = {}
        self._called_s = 0.0
        self._slowest: defaultdict[str, _Slowest] = defaultdict(_Slowest)
        self._looking: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

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
        """Wait, a few seconds at most, until every live listener has dealt with what stands in the control stream.

        However many wait, who has heard is looked up for all of them together.
        """
        async with self._server.connections.errors():
            last = _order(await self._last(keys))
            since_s, poll_s = time.monotonic(), _POLL_S
            while time.monotonic() < since_s + _PATIENCE_S:
                slowest = await self._slowest_since(keys, since_s)
                if slowest.heard is None or slowest.heard >= last:
                    return
                await asyncio.sleep(poll_s)
                poll_s = min(1.5 * poll_s, _LONGEST_POLL_S)

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

    async def _slowest_since(self, keys: Keys, since_s: float) -> _Slowest:
        async with self._looking[keys.listeners]:
            slowest = self._slowest[keys.listeners]
            if time.monotonic() - slowest.asked_s >= _POLL_S or slowest.asked_s < since_s:
                slowest = _Slowest(asked_s=time.monotonic())
                slowest.heard = await self._heard_by_all(keys)
                self._slowest[keys.listeners] = slowest
        return slowest

    async def _heard_by_all(self, keys: Keys) -> tuple[int, ...] | None:
        commands = self._server.connections.commands
        seconds, _ = await commands.time()
        records: Any = await commands.hgetall(keys.listeners)
        said = [record.decode().split() for record in records.values()]
        live = [heard for heard, said_ms in said if int(seconds) * 1000 - int(said_ms) < _SILENT_MS]
        return min(map(_order, live), default=None)


def _order(entry_id: str) -> tuple[int, ...]:
    return tuple(map(int, entry_id.split("-")))
