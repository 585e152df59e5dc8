"""The client library's own clients, for inspections: they scan, watch and pipeline, and their speed is no matter."""

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from headrace.bus.redis.nodes import BLOCK_GRACE_S, BLOCKING_CONNECTIONS, COMMAND_TIMEOUT_S, MAX_BLOCK_S
from headrace.bus.redis.url import Address, BusUrl
from headrace.errors import SettingsError

_COMMANDS = 4  # connections that share the questions to a server


class Clients:
    """Makes and keeps the clients of each server.

    Args:
        url: Where the bus is.
    """

    def __init__(self, url: BusUrl) -> None:
        self._url = url
        self._clients: dict[tuple[Address, int], Redis] = {}

    def commands(self, at: Address) -> Redis:
        """Give the client for commands."""
        return self._client(at, _COMMANDS, COMMAND_TIMEOUT_S)

    def watches(self, at: Address) -> Redis:
        """Give the client for connections that are kept while others ask."""
        return self._client(at, BLOCKING_CONNECTIONS, MAX_BLOCK_S + BLOCK_GRACE_S)

    async def aclose(self) -> None:
        """Close all connections; idempotent."""
        for client in self._clients.values():
            await client.aclose()
            await client.connection_pool.aclose()

    def _client(self, at: Address, connections: int, timeout_s: float) -> Redis:
        client = self._clients.get((at, connections))
        if client is None:
            client = self._clients[at, connections] = Redis(connection_pool=self._pool(at, connections, timeout_s))
        return client

    def _pool(self, at: Address, connections: int, timeout_s: float) -> BlockingConnectionPool:
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
        return pool
