"""The Redis bus for workers: `bus.protocol.Work`."""

from collections.abc import Sequence
from typing import Any

from headrace.bus.redis import calls
from headrace.bus.redis.entries import delivery
from headrace.bus.redis.server import Server, by_partition
from headrace.ledger.values import Answer, Commit, Delivery

WORKERS = "workers"
_MS = 1000


class RedisWork:
    """Hands out and commits entries.

    Args:
        server: Shared with the other parts.
    """

    def __init__(self, server: Server) -> None:
        self._server = server

    async def read(self, group: str, consumer: str, *, limit: int, wait_s: float) -> list[Delivery]:
        streams = {keys.stream(group): partition for partition, keys in self._server.some_partitions(limit)}
        count = max(1, limit // len(streams))
        raw = await self._server.read_group(WORKERS, consumer, list(streams), count, wait_s)
        return [
            delivery(streams[name.decode()], entry_id, 1, fields)
            for name, entries in raw
            for entry_id, fields in entries
            if fields is not None
        ]

    async def claim(self, group: str, consumer: str, *, limit: int, idle_s: float) -> list[Delivery]:
        claimed: list[Delivery] = []
        for partition, keys in enumerate(self._server.keys):
            if len(claimed) < limit:
                raw = await self._server.claim(
                    keys.stream(group), WORKERS, consumer, limit - len(claimed), int(idle_s * _MS)
                )
                claimed += [delivery(partition, entry_id, deliveries, fields) for entry_id, deliveries, fields in raw]
        return claimed

    async def extend(self, group: str, consumer: str, deliveries: Sequence[Delivery]) -> list[bool]:
        held: list[bool] = [False] * len(deliveries)
        for partition, positions in by_partition(deliveries, lambda held_one: held_one.partition).items():
            stream = self._server.keys[partition].stream(group)
            args: list[str | int] = [WORKERS, consumer]
            for position in positions:
                args += (deliveries[position].id, deliveries[position].deliveries)
            answers = await self._server.healed([stream], WORKERS, "extend", [stream], args)
            for position, answer in zip(positions, answers, strict=True):
                held[position] = answer == 1
        return held

    async def commit(self, group: str, commits: Sequence[Commit]) -> list[list[Answer]]:
        answers: list[list[Answer]] = [[] for _ in commits]
        for partition, positions in by_partition(commits, lambda commit: commit.partition).items():
            call = calls.commit_call(
                self._server.keys[partition],
                group,
                [commits[position] for position in positions],
                WORKERS,
                self._server.retention_ms,
                self._server.lane_batch,
            )
            raw = await self._server.run("commit", call)
            for position, words in zip(positions, raw, strict=True):
                answers[position] = [Answer(word.decode()) for word in words]
        return answers

    async def promote(self, group: str, *, limit: int) -> int:
        promoted = 0
        for keys in self._server.keys:
            async with self._server.connections.errors():
                members = await self._server.scripts.run("due", [keys.scheduled(group)], [limit])
            if members:
                promoted += await self._server.run(
                    "promote", calls.promote_call(keys, group, members, self._server.lane_batch)
                )
        return promoted

    async def backlog(self, group: str) -> int:
        async with self._server.connections.errors():
            return sum([await self._server.connections.commands.xlen(keys.stream(group)) for keys in self._server.keys])

    async def dead_letters(self, group: str, *, limit: int) -> list[bytes]:
        letters: list[bytes] = []
        async with self._server.connections.errors():
            for keys in self._server.keys:
                entries: Any = await self._server.connections.commands.xrange(keys.dead(group), count=limit)
                letters += [fields[b"letter"] for _, fields in entries]
        return letters[:limit]
