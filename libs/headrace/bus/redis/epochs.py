"""Tells a server that has lost everything from one that has not: each partition keeps a random id, its epoch.

| event | fields | when |
| --- | --- | --- |
| `bus_lost_data` (error) | address, partition, lost | a partition's epoch is gone or another one than it was |
"""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import structlog

from headrace.bus.redis.connection import Connections
from headrace.bus.redis.keys import Keys

_log = structlog.get_logger("headrace.bus")


class Epochs:
    """The epochs of the partitions, as this process knows them.

    Args:
        connections: To the server.
        keys: The partitions.

    Attributes:
        losses: How often a partition has lost what it held.
    """

    def __init__(self, connections: Connections, keys: Sequence[Keys]) -> None:
        self._connections = connections
        self._keys = keys
        self._known: dict[int, bytes] = {}
        self._is_sure = False
        self.losses = 0

    def doubt(self) -> None:
        """Look again at the next `check`: the server was away, or misses what it should have."""
        self._is_sure = False

    async def check(self) -> None:
        """Compare all epochs where there is doubt, and say loudly what was lost."""
        if self._is_sure:
            return
        for partition, keys in enumerate(self._keys):
            epoch = await self._epoch(keys.epoch)
            known = self._known.get(partition, epoch)
            self._known[partition] = epoch
            if epoch != known:
                self.losses += 1
                _log.error(
                    "bus_lost_data",
                    address=self._connections.address,
                    partition=partition,
                    lost="all that it held: runs that were open before are gone",
                )
        self._is_sure = True

    async def _epoch(self, key: str) -> bytes:
        commands = self._connections.commands
        epoch: Any = await commands.get(key)
        if epoch is None:
            await commands.set(key, uuid4().hex, nx=True)  # of several processes the first one's stays
            epoch = await commands.get(key)
        return bytes(epoch or b"")
