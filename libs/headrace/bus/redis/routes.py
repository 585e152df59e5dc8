"""Sends each command to the server that has its keys, and follows where they have moved.

A command that was redirected did not run, so it is sent on; one that failed in any other way is the caller's to repeat,
who knows whether that is safe. What the failure tells of the server is remembered for the next command.

The client library's own cluster client is not used, because it sends ASKING and the command that needs it over
different connections when several are open, raises when its connections are all in use, and closes all of them, under
whoever waits for an answer, when one slot is down.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeVar

from redis.commands.core import AsyncCoreCommands
from redis.event import EventDispatcher
from redis.exceptions import (
    AskError,
    ClusterDownError,
    MasterDownError,
    MovedError,
    ReadOnlyError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from headrace.bus.redis.nodes import COMMAND_TIMEOUT_S, Nodes
from headrace.bus.redis.topology import Topology
from headrace.bus.redis.url import Address

T = TypeVar("T")

BROKEN = (RedisConnectionError, RedisTimeoutError, OSError)
_AWAY = (ReadOnlyError, ClusterDownError, MasterDownError, TryAgainError, AskError, MovedError)
# as Redis 6.2 words an error inside a script, and any a read whose server became a replica while it blocked
_AWAY_TEXT = re.compile(
    r"(^|-)(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MISCONF) |UNBLOCKED force unblock"
)  # MISCONF: its disk is full
_KEYLESS = frozenset({"TIME", "PING", "INFO"})
_KEY_AT = {"EVALSHA": 3, "EVAL": 3}  # of other commands it is the first argument
_PAUSE_S = 0.02  # between tries while the keys of one command lie on both sides of a slot's move


class Routes:
    """Finds the server for each command.

    Args:
        topology: Knows where keys are.
        nodes: The connections.
    """

    def __init__(self, topology: Topology, nodes: Nodes) -> None:
        self._topology = topology
        self._nodes = nodes

    async def follow(self, key: str, ask: Callable[[Address, bool], Awaitable[T]]) -> T:
        """Ask the server that has a key, and whichever it names instead.

        Args:
            key: Any key of the command.
            ask: Asks a server; the flag says that it must send ASKING first, over the same connection.
        """
        give_up_s = asyncio.get_running_loop().time() + COMMAND_TIMEOUT_S
        at, asking = await self._topology.owner(key), False
        while True:
            try:
                return await ask(at, asking)
            except (AskError, TryAgainError) as error:  # MovedError is an AskError
                if asyncio.get_running_loop().time() > give_up_s:
                    raise
                at, asking = await self._redirected(key, at, error)
            except BROKEN:
                self._topology.doubt()
                await self._nodes.drop_idle(at)
                raise
            except ResponseError as error:
                if is_away(error):
                    self._topology.doubt()
                    await self._nodes.drop(at)
                raise

    async def _redirected(self, key: str, at: Address, error: AskError | TryAgainError) -> tuple[Address, bool]:
        if isinstance(error, TryAgainError):
            await asyncio.sleep(_PAUSE_S)
            return await self._topology.owner(key), False
        host: str = error.host  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # untyped in the client
        to = Address(host or at.host, error.port)
        if isinstance(error, MovedError):
            self._topology.moved(key, to)
        return to, not isinstance(error, MovedError)


class Commands(AsyncCoreCommands):
    """All commands of Redis, each sent where its keys are."""

    _is_async_client: Literal[True] = True  # tells the type checker which answers the methods give

    def __init__(self, routes: Routes, nodes: Nodes) -> None:
        self._routes = routes
        self._nodes = nodes
        self._event_dispatcher = EventDispatcher()  # the client library's commands ask for one

    async def execute_command(self, *command: Any, **options: Any) -> Any:  # noqa: ANN401 - a command's own answer
        """Run a command; its first key says where, one without keys runs on any master."""

        async def ask(at: Address, asking: bool) -> Any:  # noqa: ANN401, FBT001 - as `follow` calls it
            if asking:
                return await self._nodes.ask_allowed(at, *command, **options)
            return await self._nodes.ask(at, *command, **options)

        return await self._routes.follow(_key(command), ask)

    async def time(self) -> tuple[int, int]:  # type: ignore[override]  # the client's has untyped options
        """Give a server's time in seconds and microseconds."""
        seconds, microseconds = await self.execute_command("TIME")
        return int(seconds), int(microseconds)

    async def on(self, at: Address, *command: Any) -> Any:  # noqa: ANN401 - a command's own answer
        """Run a command on one server."""
        return await self._nodes.ask(at, *command)


def _key(command: tuple[Any, ...]) -> str:
    if command[0] in _KEYLESS:
        return ""
    key = command[_KEY_AT.get(command[0], 1)]
    return key.decode() if isinstance(key, bytes) else str(key)


def is_away(error: ResponseError) -> bool:
    """Tell whether an answer means that this server cannot serve us now, and that another one or a later try may."""
    return isinstance(error, _AWAY) or _AWAY_TEXT.search(str(error)) is not None
