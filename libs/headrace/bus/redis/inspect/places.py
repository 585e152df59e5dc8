"""The servers of a bus, read in bounded pages: an inspection never holds a server up for long, however much it has."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import groupby
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import MovedError, WatchError

from headrace.bus.redis.connection import Connections
from headrace.bus.redis.entries import RawEntry
from headrace.bus.redis.inspect.clients import Clients
from headrace.bus.redis.inspect.names import Inventory, pattern
from headrace.bus.redis.url import Address, parse

PAGE = 500  # of what a server gives at once: about a millisecond of its time
_SCAN_COUNT = 1000
_TOGETHER = 200  # commands sent in one go
_RAW = ("HSCAN", "SCAN", "SSCAN", "XPENDING", "XRANGE", "XREVRANGE", "ZSCAN")

Command = tuple[bytes | str | int, ...]


class Place:
    """One server.

    Args:
        at: Its address, for people.
        commands: Its client for commands.
        watches: Its client for connections that are kept while others ask.
    """

    def __init__(self, at: str, commands: Redis, watches: Redis) -> None:
        self.at = at
        self._commands = commands
        self._watches = watches
        for command in _RAW:  # entries name a field twice, which the client library's own form of them loses
            commands.set_response_callback(command, _as_it_is)

    async def ask(self, *command: bytes | str | int) -> Any:  # noqa: ANN401 - a command's own answer
        """Run a command."""
        return await self._commands.execute_command(*command)  # type: ignore[no-untyped-call]  # untyped in the client

    async def owns(self, key: str) -> bool:
        """Tell whether a key, be it there or not, is this server's."""
        try:
            await self.ask("EXISTS", key)
        except MovedError:
            return False
        return True

    async def together(self, commands: Sequence[Command]) -> list[Any]:
        """Run commands, a bounded number in one go; gives their answers in order."""
        answers: list[Any] = []
        for start in range(0, len(commands), _TOGETHER):
            async with self._commands.pipeline(transaction=False) as pipe:
                for command in commands[start : start + _TOGETHER]:
                    pipe.execute_command(*command)  # pyright: ignore[reportUnknownMemberType]  # untyped in the client
                answers += await pipe.execute()
        return answers

    async def at_once(self, commands: Sequence[Command]) -> list[Any]:
        """Run commands as one step; gives their answers in order, of those that fail their errors."""
        async with self._commands.pipeline(transaction=True) as pipe:
            for command in commands:
                pipe.execute_command(*command)  # pyright: ignore[reportUnknownMemberType]  # untyped in the client
            answers: list[Any] = await pipe.execute(raise_on_error=False)
        return answers

    async def keys(self, match: str) -> AsyncGenerator[list[bytes]]:
        """Give the keys of a pattern; one may come twice."""
        cursor = -1
        while cursor != 0:
            answer = await self.ask("SCAN", max(cursor, 0), "MATCH", match, "COUNT", _SCAN_COUNT)
            cursor = int(answer[0])
            yield answer[1]

    async def entries(self, stream: str) -> AsyncGenerator[list[RawEntry]]:
        """Give a stream's entries, oldest first."""
        start = "-"
        while page := await self.ask("XRANGE", stream, start, "+", "COUNT", PAGE):
            yield page
            start = f"({page[-1][0].decode()}"

    async def members(self, zset: str) -> AsyncGenerator[list[tuple[bytes, float]]]:
        """Give the members of a sorted set with their scores; one may come twice."""
        cursor = -1
        while cursor != 0:
            answer = await self.ask("ZSCAN", zset, max(cursor, 0), "COUNT", PAGE)
            cursor, flat = int(answer[0]), answer[1]
            yield [(member, float(score)) for member, score in zip(flat[::2], flat[1::2], strict=True)]

    async def names(self, key: str) -> AsyncGenerator[list[bytes]]:
        """Give the members of a set; one may come twice."""
        cursor = -1
        while cursor != 0:
            answer = await self.ask("SSCAN", key, max(cursor, 0), "COUNT", PAGE)
            cursor = int(answer[0])
            yield answer[1]

    async def fields(self, key: str, match: str = "*") -> dict[bytes, bytes]:
        """Give the fields of a hash that fit a pattern."""
        return (await self.fields_of([key], match))[0]

    async def fields_of(self, keys: Sequence[str], match: str) -> list[dict[bytes, bytes]]:
        """Give the fields of many hashes that fit a pattern; an empty one where there is no hash."""
        found: list[dict[bytes, bytes]] = [{} for _ in keys]
        cursors = dict.fromkeys(range(len(keys)), 0)
        while cursors:
            commands = [("HSCAN", keys[at], cursor, "MATCH", match, "COUNT", PAGE) for at, cursor in cursors.items()]
            answers = await self.together(commands)
            for at, (cursor, flat) in zip(list(cursors), answers, strict=True):
                found[at].update(zip(flat[::2], flat[1::2], strict=True))
                cursors[at] = int(cursor)
            cursors = {at: cursor for at, cursor in cursors.items() if cursor}
        return found

    async def inventory(self, namespace: str) -> Inventory:
        """List all keys of a namespace."""
        inventory = Inventory(namespace)
        async for page in self.keys(pattern(namespace)):
            inventory.add(page)
        return inventory

    @asynccontextmanager
    async def watching(self, keys: Sequence[str]) -> AsyncIterator[Callable[[], Awaitable[bool]]]:
        """Watch keys as a transaction does; what it gives tells, once, whether nobody has written any of them since."""
        async with self._watches.pipeline() as pipe:
            for _, together in groupby(sorted(keys), _tag):  # on a cluster, keys of one command lie in one slot
                await pipe.watch(*together)

            async def is_untouched() -> bool:
                pipe.multi()  # type: ignore[no-untyped-call]  # untyped in the client
                pipe.execute_command("PING")  # pyright: ignore[reportUnknownMemberType]  # untyped in the client
                try:
                    await pipe.execute()
                except WatchError:
                    return False
                return True

            yield is_untouched


class Places:
    """All servers of a bus.

    Args:
        url: As the bus's.
        namespace: As the bus's.

    Attributes:
        is_cluster: Whether the address says that it is a cluster.

    Raises:
        SettingsError: The address cannot be understood.
    """

    def __init__(self, url: str, namespace: str) -> None:
        where = parse(url)
        self.connections = Connections(url)
        self.namespace = namespace
        self.is_cluster = where.kind == "cluster"
        self._clients = Clients(where)

    async def all(self) -> list[Place]:
        """Give every server that has keys."""
        return [self._place(at) for at in await self.connections.masters()]

    async def having(self, key: str) -> Place | None:
        """Give the server that a key is on, be it there or not; None while none says so, as when slots move."""
        for place in await self.all():
            if await place.owns(key):
                return place
        return None

    def errors(self) -> AbstractAsyncContextManager[None]:
        """Turn the client's exceptions into ours."""
        return self.connections.errors()

    async def aclose(self) -> None:
        """Close all connections; idempotent."""
        await self._clients.aclose()
        await self.connections.aclose()

    def _place(self, at: Address) -> Place:
        name = str(at) if at.host else self.connections.address
        return Place(name, self._clients.commands(at), self._clients.watches(at))


def _tag(key: str) -> str:
    return key.partition("}")[0]


def _as_it_is(response: Any, **_options: Any) -> Any:  # noqa: ANN401 - the client's own signature
    return response
