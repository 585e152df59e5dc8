"""A Redis Cluster of three masters on loopback, whose slots a test may move."""

from collections.abc import AsyncIterator
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from tests.support.redis_server import REPLICATED, RedisServer, free_port, is_in_step

from headrace.testing.wait import wait_until_sync

MASTERS = 3
_MIGRATE_TIMEOUT_MS = 5_000


class RedisCluster:
    """Servers that share the slots in even parts.

    Args:
        has_replicas: Whether each master has a replica, which takes over about three seconds after its death.

    Attributes:
        servers: The masters.
    """

    def __init__(self, *, has_replicas: bool = False) -> None:
        nodes = [_Node() for _ in range(2 * MASTERS if has_replicas else MASTERS)]
        self._masters, self._replicas = nodes[:MASTERS], nodes[MASTERS:]
        self.servers = [node.server for node in self._masters]
        self.url = f"redis+cluster://{','.join(f'127.0.0.1:{server.port}' for server in self.servers)}/"
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        for number, node in enumerate((*self._masters, *self._replicas)):
            self._stack.enter_context(node.server)
            if number < MASTERS:
                first, after = (REDIS_CLUSTER_HASH_SLOTS * part // MASTERS for part in (number, number + 1))
                node.ask("ADDSLOTSRANGE", first, after - 1)
            node.ask("SET-CONFIG-EPOCH", number + 1)
            node.ask("MEET", "127.0.0.1", self.servers[0].port, self._masters[0].gossip_port)
        wait_until_sync(self._is_whole, timeout_s=20, description="every node sees the whole cluster")
        for master, replica in zip(self._masters, self._replicas, strict=False):
            replica.ask("REPLICATE", master.ask("MYID"))
        wait_until_sync(self._is_in_step, timeout_s=20, description="every replica is in step")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()

    def owner(self, key: str) -> RedisServer:
        """Give the server that had the key's slot at the start."""
        return self.servers[key_slot(key.encode()) * MASTERS // REDIS_CLUSTER_HASH_SLOTS]

    def spread(self, namespace: str) -> str:
        """Give a namespace of which each of the first partitions lies on another master."""
        for number in range(1000):
            spread = f"{namespace}-{number}"
            owners = {self.owner(f"{{{spread}:{partition}}}").port for partition in range(MASTERS)}
            if len(owners) == MASTERS:
                return spread
        raise AssertionError("no such namespace")

    async def move(self, key: str, source: RedisServer, target: RedisServer) -> AsyncIterator[str]:
        """Move a key's slot as an operator does; tells each step after it was done.

        Yields:
            `importing`, `migrating`, then each key that was moved, then `moved`.
        """
        slot = key_slot(key.encode())
        giver: Any
        taker: Any
        async with AsyncRedis.from_url(source.url) as giver, AsyncRedis.from_url(target.url) as taker:
            giver_id, taker_id = [(await node.execute_command("CLUSTER", "MYID")).decode() for node in (giver, taker)]
            await taker.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", giver_id)
            yield "importing"
            await giver.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", taker_id)
            yield "migrating"
            while keys := await giver.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 1):
                await giver.execute_command("MIGRATE", "127.0.0.1", target.port, keys[0], 0, _MIGRATE_TIMEOUT_MS)
                yield keys[0].decode()
            for node in (taker, giver):
                await node.execute_command("CLUSTER", "SETSLOT", slot, "NODE", taker_id)
            yield "moved"

    def _is_whole(self) -> bool:
        nodes = (*self._masters, *self._replicas)
        known = f"cluster_known_nodes:{len(nodes)}"
        return all("cluster_state:ok" in (info := node.ask("INFO")) and known in info for node in nodes)

    def _is_in_step(self) -> bool:
        pairs = zip(self._masters, self._replicas, strict=False)
        return all(is_in_step(master.server.url, replica.server.url) for master, replica in pairs)


class _Node:
    def __init__(self) -> None:
        self.gossip_port = free_port()  # the usual one, port + 10000, may not exist
        cluster = ("--cluster-enabled", "yes", "--cluster-port", str(self.gossip_port))
        self.server = RedisServer((*REPLICATED, *cluster, "--cluster-node-timeout", "1500"))

    def ask(self, *command: str | int) -> str:
        node: Any
        with Redis.from_url(self.server.url, decode_responses=True) as node:
            answer: str = node.execute_command("CLUSTER", *command)
        return answer
