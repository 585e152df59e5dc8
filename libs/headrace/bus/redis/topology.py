"""Which server has a key: one server, the master behind sentinels, or the master of the key's slot in a cluster.

What was learned is kept until it proves wrong: a broken connection, a server that is no master any more, a key that
has moved.
"""

import asyncio
from typing import Any, Protocol

import structlog
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import ClusterDownError, RedisError
from redis.exceptions import ConnectionError as RedisConnectionError

from headrace.bus.redis.nodes import Nodes
from headrace.bus.redis.url import Address, BusUrl

_log = structlog.get_logger("headrace.bus")
_ASK_S = 1.0  # for one sentinel or node to say where the masters are; then the next is asked


class Topology(Protocol):
    """Knows where keys are.

    Attributes:
        is_split: Whether keys of two partitions may be on two servers, so that no one command may name both.
    """

    is_split: bool

    async def owner(self, key: str) -> Address:
        """Give the server that has a key."""
        ...

    async def masters(self) -> tuple[Address, ...]:
        """Give all servers that have keys."""
        ...

    def moved(self, key: str, to: Address) -> None:
        """Learn that a key is elsewhere."""
        ...

    def doubt(self) -> None:
        """Ask anew before the next answer."""
        ...

    async def aclose(self) -> None:
        """Close connections of its own; idempotent."""
        ...


class OneServer:
    """All keys are on one server, whatever stands behind its address."""

    is_split = False
    _at = Address("", 0)

    async def owner(self, key: str) -> Address:  # noqa: ARG002 - the same for each
        return self._at

    async def masters(self) -> tuple[Address, ...]:
        return (self._at,)

    def moved(self, key: str, to: Address) -> None: ...

    def doubt(self) -> None: ...

    async def aclose(self) -> None: ...


class BehindSentinels:
    """All keys are on the master that sentinels name."""

    is_split = False

    def __init__(self, url: BusUrl) -> None:
        self._url = url
        self._sentinel = Sentinel(  # type: ignore[no-untyped-call]  # untyped in the client
            url.hosts,
            sentinel_kwargs={
                **url.sentinel,
                "socket_timeout": _ASK_S,
                "socket_connect_timeout": _ASK_S,
                "retry": Retry(NoBackoff(), 0),
                "protocol": 2,
            },
        )
        self._asking = asyncio.Lock()
        self._master: Address | None = None
        self._is_sure = False

    async def owner(self, key: str) -> Address:  # noqa: ARG002 - the same for each
        async with self._asking:
            if self._master is None or not self._is_sure:
                found: Any = await self._sentinel.discover_master(self._url.master)  # pyright: ignore[reportUnknownVariableType]  # untyped in the client
                self._learn(Address(*found))
            return self._master or Address("", 0)

    async def masters(self) -> tuple[Address, ...]:
        return (await self.owner(""),)

    def moved(self, key: str, to: Address) -> None: ...

    def doubt(self) -> None:
        self._is_sure = False

    async def aclose(self) -> None:
        for client in self._sentinel.sentinels:
            await client.aclose()

    def _learn(self, master: Address) -> None:
        if self._master not in (None, master):
            _log.warning(
                "bus_failed_over",
                address=self._url.name,
                master=str(master),
                before=str(self._master),
                lost="what the former master had answered and not yet replicated",
            )
        self._master, self._is_sure = master, True


class Cluster:
    """Keys are on the masters of their slots."""

    is_split = True

    def __init__(self, url: BusUrl, nodes: Nodes) -> None:
        self._url = url
        self._nodes = nodes
        self._asking = asyncio.Lock()
        self._owners: list[Address | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
        self._is_sure = False

    async def owner(self, key: str) -> Address:
        if not self._is_sure:
            await self._ask()
        owner = self._owners[key_slot(key.encode())]
        if owner is None:
            self.doubt()
            raise ClusterDownError("no master has the slot")
        return owner

    async def masters(self) -> tuple[Address, ...]:
        if not self._is_sure:
            await self._ask()
        return self._known()

    def moved(self, key: str, to: Address) -> None:
        self._owners[key_slot(key.encode())] = to

    def doubt(self) -> None:
        self._is_sure = False

    async def aclose(self) -> None: ...

    async def _ask(self) -> None:
        async with self._asking:
            if self._is_sure:
                return
            for at in dict.fromkeys((*self._url.hosts, *self._known())):
                try:
                    async with asyncio.timeout(_ASK_S):
                        # as two words, so that the client library leaves the answer as it is
                        answer: Any = await self._nodes.ask(at, "CLUSTER", "SLOTS")
                except (RedisError, OSError):
                    continue
                self._owners = owners(answer, at)
                self._is_sure = True
                return
            raise RedisConnectionError("no node of the cluster answers")

    def _known(self) -> tuple[Address, ...]:
        return tuple(dict.fromkeys(owner for owner in self._owners if owner is not None))


def owners(answer: list[Any], asked: Address) -> list[Address | None]:
    """Read the master of each slot from what `CLUSTER SLOTS` answers; a nameless one is the node that was asked."""
    found: list[Address | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
    for first, last, (host, port, *_), *_ in answer:
        found[first : last + 1] = [Address(host.decode() if host else asked.host, port)] * (last + 1 - first)
    return found
