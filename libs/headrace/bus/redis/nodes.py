"""The connections to each server of a bus: two pools a server, of fixed size, with our time-outs and no silent retries.

A server has at most `COMMAND_CONNECTIONS` of this process for commands and one for each read that blocks,
`BLOCKING_CONNECTIONS` at most: a reader has one, or one a partition on a cluster.
"""

from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from headrace.bus.redis.url import Address, BusUrl
from headrace.errors import SettingsError

COMMAND_CONNECTIONS = 4
BLOCKING_CONNECTIONS = 32
# Scripts take milliseconds, a fork or a slow disk a second; beyond this a peer is taken for gone.
COMMAND_TIMEOUT_S = 5.0
MAX_BLOCK_S = 2.0  # the longest a read blocks on the server
# A read's answer is due when its block ends; with this a half-open peer is noticed within 5 s by readers as well.
BLOCK_GRACE_S = 3.0


class Nodes:
    """Makes and keeps the clients of each server.

    Args:
        url: Where the bus is.
    """

    def __init__(self, url: BusUrl) -> None:
        self._url = url
        self._commands: dict[Address, Redis] = {}
        self._blocking: dict[Address, Redis] = {}

    async def ask(self, at: Address, *command: Any, **options: Any) -> Any:  # noqa: ANN401 - a command's own answer
        """Run a command on one server."""
        return await self.commands(at).execute_command(*command, **options)  # type: ignore[no-untyped-call]  # untyped in the client

    def commands(self, at: Address) -> Redis:
        """Give the client for commands, which answer at once."""
        client = self._commands.get(at)
        if client is None:
            client = self._commands[at] = self._client(at, COMMAND_CONNECTIONS, COMMAND_TIMEOUT_S)
        return client

    def blocking(self, at: Address) -> Redis:
        """Give the client for reads that block."""
        client = self._blocking.get(at)
        if client is None:
            client = self._blocking[at] = self._client(at, BLOCKING_CONNECTIONS, MAX_BLOCK_S + BLOCK_GRACE_S)
        return client

    async def drop_idle(self, at: Address) -> None:
        """Close what is not in use: after one connection broke, the others are probably dead too."""
        await self._drop(at, in_use_too=False)

    async def drop(self, at: Address) -> None:
        """Close all connections to a server that is no master any more, also under who waits for an answer."""
        await self._drop(at, in_use_too=True)

    async def aclose(self) -> None:
        """Close all connections; idempotent."""
        for client in (*self._commands.values(), *self._blocking.values()):
            await client.aclose()
            await client.connection_pool.aclose()

    async def _drop(self, at: Address, *, in_use_too: bool) -> None:
        for clients in (self._commands, self._blocking):
            if at in clients:
                await clients[at].connection_pool.disconnect(inuse_connections=in_use_too)

    def _client(self, at: Address, connections: int, timeout_s: float) -> Redis:
        try:
            pool: BlockingConnectionPool = BlockingConnectionPool.from_url(  # pyright: ignore[reportUnknownMemberType]  # untyped options
                self._url.node(at),
                max_connections=connections,
                timeout=COMMAND_TIMEOUT_S,
                socket_timeout=timeout_s,
                socket_connect_timeout=COMMAND_TIMEOUT_S,
                socket_keepalive=True,
                retry=Retry(NoBackoff(), 0),
                protocol=2,
            )
        except ValueError:
            raise SettingsError("bus_url", "cannot be understood") from None  # the cause may quote a password
        client = Redis(connection_pool=pool)
        for command in ("XREADGROUP", "XREAD"):
            client.set_response_callback(command, _as_it_is)
        return client


def _as_it_is(response: Any, **_options: Any) -> Any:  # noqa: ANN401 - the client's own signature
    return response
