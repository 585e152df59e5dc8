"""A connection to Redis over which commands go one behind the other, without waiting for each other's answers.

The client library's own connections carry one command at a time and cost several times as much for each, so its part
here is the address, TLS and the meaning of errors. Nothing is asked twice: a command on a line that is lost fails, and
may or may not have run.
"""

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from ssl import SSLContext
from typing import Any, cast

import hiredis
from redis.asyncio.connection import Connection, DefaultParser, SSLConnection, UnixDomainSocketConnection, parse_url
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse
from redis.exceptions import TimeoutError as RedisTimeoutError

from headrace.errors import SettingsError

Word = bytes | str | int | float

# both untyped in the client
_pack: Callable[[tuple[Word, ...]], bytes] = hiredis.pack_command  # type: ignore[assignment]  # pyright: ignore[reportUnknownMemberType]
_error: Callable[[str], Exception] = cast("Any", DefaultParser).parse_error


class Line(asyncio.Protocol):
    """One connection; `Endpoint.open` makes it.

    What has been asked and is not yet answered is bounded by the callers, each of which waits for its answer.

    Attributes:
        lost: Why it can be used no longer, None while it can.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._answers = hiredis.Reader(protocolError=InvalidResponse, replyError=_error)
        self._asked: deque[tuple[asyncio.Future[Any], float]] = deque()
        self._transport: asyncio.Transport | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._closed: asyncio.Future[None] = self._loop.create_future()
        self.lost: Exception | None = None

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits for an answer."""
        return not self._asked

    def ask(self, *command: Word, within_s: float) -> asyncio.Future[Any]:
        """Send a command; gives what its answer will resolve. Cancelling that leaves the line as it is.

        Args:
            within_s: Seconds after which the line is lost where no answer has come.

        Raises:
            RedisConnectionError, RedisTimeoutError: The line is lost; nothing was sent.
        """
        if self.lost is not None or self._transport is None:
            raise type(self.lost)(*self.lost.args) if self.lost else RedisConnectionError("not connected yet")
        future: asyncio.Future[Any] = self._loop.create_future()
        due_s = self._loop.time() + within_s
        self._asked.append((future, due_s))
        if self._watch is None:
            self._watch = self._loop.call_at(due_s, self._look)
        self._transport.write(_pack(command))
        return future

    def drop(self, why: Exception | None = None) -> None:
        """Give the line up, also under who waits for an answer."""
        if self.lost is None:
            self._lose(why or RedisConnectionError("the connection was dropped"))

    async def aclose(self) -> None:
        """Close it; idempotent."""
        self.drop()
        if self._transport is not None:
            await asyncio.shield(self._closed)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        carrier = transport.get_extra_info("socket")
        if carrier is not None:
            carrier.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def data_received(self, data: bytes) -> None:
        self._answers.feed(data)
        try:
            while (answer := self._answers.gets()) is not False:
                future, _ = self._asked.popleft()
                if future.done():  # whoever asked has gone
                    continue
                if isinstance(answer, Exception):
                    future.set_exception(answer)
                else:
                    future.set_result(answer)
        except (InvalidResponse, IndexError) as error:  # what came is no answer, or to no command
            self._lose(RedisConnectionError(type(error).__name__))

    def connection_lost(self, exc: Exception | None) -> None:
        self._lose(RedisConnectionError("the server closed the connection" if exc is None else type(exc).__name__))
        if not self._closed.done():
            self._closed.set_result(None)

    def _look(self) -> None:
        self._watch = None
        if self._asked:
            due_s = self._asked[0][1]
            if due_s <= self._loop.time():
                self._lose(RedisTimeoutError("no answer in time"))
            else:
                self._watch = self._loop.call_at(due_s, self._look)

    def _lose(self, why: Exception) -> None:
        self.lost = self.lost or why
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        if self._transport is not None:
            self._transport.abort()
        while self._asked:
            future, _ = self._asked.popleft()
            if not future.done():
                future.set_exception(type(why)(*why.args))


class Endpoint:
    """Where a server listens, and what it is told first.

    Args:
        url: As `bus.redis.url` gives it for one server; other options in it are the client library's.

    Raises:
        SettingsError: It cannot be understood.
    """

    def __init__(self, url: str) -> None:
        try:
            options: dict[str, Any] = dict(parse_url(url))
            kind = options.pop("connection_class", Connection)
            self._at: Connection | UnixDomainSocketConnection = kind(**{**options, "protocol": 2})
        except (TypeError, ValueError):
            raise SettingsError("bus_url", "cannot be understood") from None  # the cause may quote a password

    async def open(self, within_s: float) -> Line:
        """Connect.

        Raises:
            RedisConnectionError, RedisTimeoutError, ResponseError: There is no server, or it refuses us.
        """
        line: Line | None = None
        try:
            async with asyncio.timeout(within_s):
                line = await self._connected()
                for answer in [line.ask(*command, within_s=within_s) for command in self._greeting()]:
                    await answer
        except TimeoutError as error:
            _drop(line)
            raise RedisTimeoutError("no connection in time") from error
        except OSError as error:
            _drop(line)
            raise RedisConnectionError(type(error).__name__) from error
        except BaseException:
            _drop(line)
            raise
        return line

    async def _connected(self) -> Line:
        loop, at = asyncio.get_running_loop(), self._at
        match at:
            case UnixDomainSocketConnection():
                _, line = await loop.create_unix_connection(Line, at.path)
            case SSLConnection():
                context: SSLContext = cast("Any", at.ssl_context).get()
                _, line = await loop.create_connection(Line, at.host, at.port, ssl=context)
            case _:
                _, line = await loop.create_connection(Line, at.host, at.port)
        return line

    def _greeting(self) -> list[tuple[Word, ...]]:
        at = self._at
        greeting: list[tuple[Word, ...]] = []
        if at.username:
            greeting.append(("AUTH", at.username, at.password or ""))
        elif at.password:
            greeting.append(("AUTH", at.password))
        if at.client_name:
            greeting.append(("CLIENT", "SETNAME", at.client_name))
        if at.db:
            greeting.append(("SELECT", at.db))
        return greeting


def _drop(line: Line | None) -> None:
    if line is not None:
        line.drop()
