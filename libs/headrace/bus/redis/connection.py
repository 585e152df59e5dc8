"""What the Redis bus speaks through: commands and blocking reads, on one server, behind sentinels or on a cluster.

The client library's defaults are wrong for a bus: it would retry commands that must not run twice, and give up on
blocking reads. So a failed command raises, and asking again is the caller's, who knows that it is safe.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError, RedisError, ResponseError

from headrace.bus.redis.lines import Word
from headrace.bus.redis.nodes import Nodes
from headrace.bus.redis.reads import Read, Reads
from headrace.bus.redis.routes import BROKEN, Commands, Routes, is_away
from headrace.bus.redis.topology import BehindSentinels, Cluster, OneServer, Topology
from headrace.bus.redis.url import Address, BusUrl, parse
from headrace.errors import BusError, BusFullError, BusUnavailableError

T = TypeVar("T")


class Connections:
    """The connections of one bus; `nodes` says how many there are.

    Args:
        url: As `url` describes.

    Attributes:
        address: Where the bus is, without credentials.
        commands: Runs commands, each where its keys are.

    Raises:
        SettingsError: The address cannot be understood.
    """

    def __init__(self, url: str) -> None:
        where = parse(url)
        self._nodes = Nodes(where)
        self._topology = _topology(where, self._nodes)
        routes = Routes(self._topology, self._nodes)
        self._reads = Reads(routes, self._topology, self._nodes)
        self.address = where.name
        self.commands = Commands(routes, self._nodes)

    async def read(self, command: Sequence[Word], streams: Mapping[str, Word], wait_s: float) -> Read:
        """Read streams, waiting for the first entry; see `Reads.read`."""
        return await self._reads.read(command, streams, wait_s)

    async def masters(self) -> tuple[Address, ...]:
        """Give every server that has keys, for `Commands.on`."""
        return await self._topology.masters()

    @asynccontextmanager
    async def errors(self) -> AsyncIterator[None]:
        """Turn the client's exceptions into ours, and give back a cancellation that it lost.

        The client library asks sentinels under `asyncio.wait_for`, which in Python 3.11 drops a cancellation that comes
        as it ends.
        """
        task = asyncio.current_task()
        cancellations = task.cancelling() if task is not None else 0
        try:
            yield
            if task is not None and task.cancelling() > cancellations:
                raise asyncio.CancelledError
        except BROKEN as error:
            raise BusUnavailableError(self.address, type(error).__name__) from error
        except OutOfMemoryError as error:
            raise BusFullError(self.address) from error
        except ResponseError as error:
            if is_away(error):
                raise BusUnavailableError(self.address, type(error).__name__) from error
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
                return await ask()

    async def aclose(self) -> None:
        """Close all connections; idempotent."""
        await self._topology.aclose()
        await self._nodes.aclose()


def _topology(url: BusUrl, nodes: Nodes) -> Topology:
    match url.kind:
        case "server":
            return OneServer()
        case "sentinel":
            return BehindSentinels(url)
        case "cluster":
            return Cluster(url, nodes)
