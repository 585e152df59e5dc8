"""The connections to each server of a bus: one for commands, and one for each read that blocks, with our time-outs.

A server has one line of this process for all commands, `BLOCKING_CONNECTIONS` at most for reads that block: a reader
has one, or one a partition on a cluster. No command is asked twice.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from headrace.bus.redis.lines import Endpoint, Line, Word
from headrace.bus.redis.url import Address, BusUrl

COMMAND_CONNECTIONS = 1
BLOCKING_CONNECTIONS = 32
# Scripts take milliseconds, a fork or a slow disk a second; beyond this a peer is taken for gone.
COMMAND_TIMEOUT_S = 5.0
MAX_BLOCK_S = 2.0  # the longest a read blocks on the server
# A read's answer is due when its block ends; with this a half-open peer is noticed within 5 s by readers as well.
BLOCK_GRACE_S = 3.0


class Nodes:
    """Makes and keeps the lines to each server.

    Args:
        url: Where the bus is.

    Raises:
        SettingsError: The address cannot be understood.
    """

    def __init__(self, url: BusUrl) -> None:
        self._url = url
        self._endpoints: dict[Address, Endpoint] = {}
        self._commands: dict[Address, Line] = {}
        self._connecting: defaultdict[Address, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._reads: defaultdict[Address, set[Line]] = defaultdict(set)
        self._unused: defaultdict[Address, list[Line]] = defaultdict(list)
        self._turns: defaultdict[Address, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(BLOCKING_CONNECTIONS)
        )
        client = Redis(protocol=2)  # never connects: it knows what each command's answer means
        self._meanings = dict(client.response_callbacks)
        for command in ("XREADGROUP", "XREAD"):
            del self._meanings[command]
        self._endpoint(url.hosts[0] if url.hosts else Address("", 0))  # a malformed address is told now

    async def ask(self, at: Address, *command: Word, **options: Any) -> Any:  # noqa: ANN401 - a command's own answer
        """Run a command on one server."""
        line = self._commands.get(at)
        if line is None or line.lost is not None:
            line = await self._connected(at)
        return self._meant(command[0], await line.ask(*_words(command), within_s=COMMAND_TIMEOUT_S), options)

    async def ask_allowed(self, at: Address, *command: Word, **options: Any) -> Any:  # noqa: ANN401 - a command's own answer
        """Run a command on a server that is yet to become its key's."""
        line = await self._connected(at)
        allowed = line.ask("ASKING", within_s=COMMAND_TIMEOUT_S)
        answer = line.ask(*_words(command), within_s=COMMAND_TIMEOUT_S)
        await asyncio.wait((allowed, answer))
        await allowed
        return self._meant(command[0], await answer, options)

    @asynccontextmanager
    async def reading(self, at: Address) -> AsyncIterator[Line]:
        """Give a line of one's own for reads that block; one that is left while a read blocks is closed."""
        async with self._turns[at]:
            line = await self._free(at)
            try:
                yield line
            except ResponseError:
                raise
            except BaseException:
                line.drop()
                raise
            finally:
                if line.lost is None:
                    self._unused[at].append(line)
                else:
                    self._reads[at].discard(line)

    async def drop_idle(self, at: Address) -> None:
        """Close what is not in use: after one connection broke, the others are probably dead too."""
        for line in self._lines(at):
            if line.is_idle:
                await line.aclose()

    async def drop(self, at: Address) -> None:
        """Close all connections to a server that is no master any more, also under who waits for an answer."""
        for line in self._lines(at):
            await line.aclose()

    async def aclose(self) -> None:
        """Close all connections; idempotent."""
        for at in self._endpoints:
            await self.drop(at)

    def _meant(self, name: Word, answer: Any, options: dict[str, Any]) -> Any:  # noqa: ANN401 - a command's own answer
        meaning = self._meanings.get(str(name))
        if meaning is None:
            return answer
        options.pop("keys", None)  # the client's own, for its caches
        return meaning(answer, **options)

    def _lines(self, at: Address) -> list[Line]:
        commands = self._commands.get(at)
        return [*self._reads[at], *((commands,) if commands is not None else ())]

    async def _connected(self, at: Address) -> Line:
        async with self._connecting[at]:
            line = self._commands.get(at)
            if line is None or line.lost is not None:
                line = self._commands[at] = await self._endpoint(at).open(COMMAND_TIMEOUT_S)
            return line

    async def _free(self, at: Address) -> Line:
        while self._unused[at]:
            line = self._unused[at].pop()
            if line.lost is None:
                return line
            self._reads[at].discard(line)
        line = await self._endpoint(at).open(COMMAND_TIMEOUT_S)
        self._reads[at].add(line)
        return line

    def _endpoint(self, at: Address) -> Endpoint:
        endpoint = self._endpoints.get(at)
        if endpoint is None:
            endpoint = self._endpoints[at] = Endpoint(self._url.node(at))
        return endpoint


def _words(command: tuple[Word, ...]) -> tuple[Word, ...]:
    """Take apart what the client library spells as one: "XGROUP CREATE"."""
    name = command[0]
    return (*name.split(), *command[1:]) if isinstance(name, str) and " " in name else command
