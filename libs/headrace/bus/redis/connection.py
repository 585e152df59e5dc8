"""Connections of the Redis bus: a fixed number a process, time-outs set by us, no silent retries.

The client library's defaults are wrong for a bus: it would retry commands that must not run twice, and give up on
blocking reads. So commands and blocking reads have pools of their own; a failed command raises, and asking again is
the caller's, who knows that it is safe.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from urllib.parse import urlsplit

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from headrace.errors import BusError, BusFullError, BusUnavailableError, SettingsError

T = TypeVar("T")

MAX_BLOCK_S = 5.0  # the longest a read blocks on the server
COMMAND_TIMEOUT_S = 10.0  # a script over a full batch takes milliseconds; this tells a hung server
COMMAND_CONNECTIONS = 4
BLOCKING_CONNECTIONS = 32  # one a reader (a group consumed, an inbox, the replies); a service has one or two readers
_AWAY = ("LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN")


class Connections:
    """The two pools of one bus: `COMMAND_CONNECTIONS` at most, and one connection for each reader.

    Args:
        url: `redis://`, `rediss://` or `unix://`.

    Raises:
        SettingsError: The address cannot be understood.
    """

    def __init__(self, url: str) -> None:
        self.address = _without_secrets(url)
        self.commands = self._client(url, COMMAND_CONNECTIONS, COMMAND_TIMEOUT_S)
        self.blocking = self._client(url, BLOCKING_CONNECTIONS, MAX_BLOCK_S + COMMAND_TIMEOUT_S)

    async def block(self, *command: str | bytes | int) -> Any:  # noqa: ANN401 - a command's own answer
        """Run a command that may block on the server; its answer is given as it came."""
        return await self.blocking.execute_command(*command)  # type: ignore[no-untyped-call]  # untyped in the client

    @asynccontextmanager
    async def errors(self) -> AsyncIterator[None]:
        """Turn the client's exceptions into ours, and give back a cancellation that it lost.

        The client sends under `asyncio.wait_for`, which in Python 3.11 drops a cancellation that comes as it ends.
        """
        task = asyncio.current_task()
        cancellations = task.cancelling() if task is not None else 0
        try:
            yield
            if task is not None and task.cancelling() > cancellations:
                raise asyncio.CancelledError
        except (RedisConnectionError, RedisTimeoutError, OSError) as error:
            raise BusUnavailableError(self.address, type(error).__name__) from error
        except OutOfMemoryError as error:
            raise BusFullError(self.address) from error
        except ResponseError as error:
            word = str(error).split(" ", 1)[0]
            if word in _AWAY:
                raise BusUnavailableError(self.address, word) from error
            raise BusError(f"the bus at {self.address} answered with an error: {error}") from error
        except RedisError as error:
            raise BusError(f"the bus at {self.address} failed: {type(error).__name__}") from error

    async def twice(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask, and once more over a new connection where the old one turns out to be cut, as after a restart.

        Only for what has the same answer when it is done twice.
        """
        async with self.errors():
            try:
                return await ask()
            except RedisConnectionError:
                await self.commands.connection_pool.disconnect(inuse_connections=False)
                return await ask()

    async def aclose(self) -> None:
        """Close both pools; idempotent."""
        for client in (self.commands, self.blocking):
            await client.aclose()
            await client.connection_pool.aclose()

    def _client(self, url: str, connections: int, timeout_s: float) -> Redis:
        try:
            pool: BlockingConnectionPool = BlockingConnectionPool.from_url(  # pyright: ignore[reportUnknownMemberType]  # untyped options
                url,
                max_connections=connections,
                timeout=COMMAND_TIMEOUT_S,
                socket_timeout=timeout_s,
                socket_connect_timeout=COMMAND_TIMEOUT_S,
                socket_keepalive=True,
                retry=Retry(NoBackoff(), 0),
                protocol=2,
            )
        except ValueError as error:
            raise SettingsError("bus_url", "is no redis://, rediss:// or unix:// address") from error
        client = Redis(connection_pool=pool)
        for command in ("XREADGROUP", "XREAD"):
            client.set_response_callback(command, _as_it_is)
        return client


def _as_it_is(response: Any, **_options: Any) -> Any:  # noqa: ANN401 - the client's own signature
    return response


def _without_secrets(url: str) -> str:
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{host}{port}{parts.path}"
