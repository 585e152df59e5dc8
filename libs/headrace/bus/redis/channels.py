"""Channels on Redis: `channels.port.ChannelBus`, each step one script.

The keys of a channel share a hash tag of their own, and all go an hour after the last word about it.
"""

from collections.abc import Sequence
from typing import Any

from headrace.bus.redis.keys import ChannelKeys
from headrace.bus.redis.scripts import Value
from headrace.bus.redis.server import Server
from headrace.channels.port import ChannelEnd, Reply, Side, Word

_MS = 1000
_KEPT_MS = 3_600_000


class RedisChannels:
    """Carries channels.

    Args:
        server: Shared with the other parts.
    """

    def __init__(self, server: Server) -> None:
        self._server = server

    async def channel_join(self, end: ChannelEnd) -> None:
        await self._run("channel_join", end)

    async def channel_leave(self, end: ChannelEnd, settled: str) -> None:
        await self._run("channel_leave", end, settled)

    async def channel_put(self, end: ChannelEnd, number: int, frame: bytes, capacity: int) -> Reply:
        return _reply(await self._run("channel_put", end, number, capacity, frame))

    async def channel_take(self, end: ChannelEnd, settled: str) -> Reply:
        return _reply(await self._run("channel_take", end, settled))

    async def channel_wait(self, end: ChannelEnd, mark: str, wait_s: float) -> None:
        keys = ChannelKeys(self._server.namespace, end.channel)
        bell = keys.news if end.side is Side.RECEIVERS else keys.room
        async with self._server.connections.errors():
            await self._server.connections.read(("XREAD", "COUNT", 1), {bell: mark}, wait_s)

    async def _run(self, verb: str, end: ChannelEnd, *args: Value) -> Any:  # noqa: ANN401 - a script's own answer
        keys = ChannelKeys(self._server.namespace, end.channel)
        common = (end.side.value, end.id, int(end.lease_s * _MS), _KEPT_MS)
        # every step is one that may be asked again
        return await self._server.connections.twice(lambda: self._server.scripts.run(verb, keys.all, (*common, *args)))


def _reply(raw: Sequence[bytes]) -> Reply:
    word, mark, frame = raw
    return Reply(Word(word.decode()), mark.decode(), frame)
