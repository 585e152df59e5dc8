"""The Redis bus for workers: `bus.protocol.Work`."""

from collections.abc import Sequence
from typing import Any

from msgspec import structs

from headrace.bus.redis import calls
from headrace.bus.redis.call import Holds, Spill, decode_due
from headrace.bus.redis.calls import Staged
from headrace.bus.redis.entries import delivery
from headrace.bus.redis.keys import Keys
from headrace.bus.redis.levels import level_of
from headrace.bus.redis.listeners import Listeners
from headrace.bus.redis.server import Server, by_partition
from headrace.bus.redis.spill import DEFAULT_SPILL_OVER, Spills, calls_of, member_of
from headrace.ledger.level import Level
from headrace.ledger.terminal import EXPIRED
from headrace.ledger.values import Alarm, Answer, Commit, Delivery, Letter, RunState, Settled
from headrace.wire.trace import partition_of

WORKERS = "workers"
CALL_OUTPUTS = 4096  # in one call over all its commits: some ten ms of the server's time
KNOWN_INBOXES = 16  # their keys go with every commit; of more the coordinator tells
_ANSWERS = {answer.value.encode(): answer for answer in Answer}
_MS = 1000


class RedisWork:
    """Hands out and commits entries.

    Args:
        server: Shared with the other parts.
        spill_over: The most outputs of one hop that are recorded by its commit itself.
    """

    def __init__(self, server: Server, *, spill_over: int = DEFAULT_SPILL_OVER) -> None:
        self._server = server
        self._spills = Spills(server, spill_over)
        self._listening = Listeners(server)
        self._inboxes: dict[str, None] = {}

    async def read(self, group: str, consumer: str, *, limit: int, wait_s: float) -> list[Delivery]:
        turns = -(-len(self._server.keys) // limit)  # with a limit below the partitions each is looked at before a wait
        for turn in range(1, turns + 1):
            streams = {keys.stream(group): partition for partition, keys in self._server.some_partitions(limit)}
            count = max(1, limit // len(streams))
            wait = wait_s if turn == turns else 0
            raw = await self._server.read_group(WORKERS, consumer, list(streams), count, wait)
            if raw:
                return [
                    delivery(streams[name.decode()], entry_id, 1, fields)
                    for name, entries in raw
                    for entry_id, fields in entries
                    if fields is not None
                ]
        return []

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
            keys = self._server.keys[partition]
            staged = [
                Staged(commits[position], (None,) * len(commits[position].settled))
                if self._spills.fits(commits[position])
                else await self._spills.stage(keys, group, commits[position])
                for position in positions
            ]
            raw = [words for batch in calls_of(staged, CALL_OUTPUTS) for words in await self._send(keys, group, batch)]
            for position, words in zip(positions, raw, strict=True):
                answers[position] = [_ANSWERS[word] for word in words]
        return answers

    async def promote(self, group: str, *, limit: int) -> int:
        promoted = 0
        for keys in self._server.keys:
            async with self._server.connections.errors():
                members = await self._server.scripts.run("due", [keys.scheduled(group)], [limit])
            promoted += await self._promote(keys, group, members) if members else 0
        return promoted

    async def expire(self, *, limit: int) -> int:
        expired = 0
        for keys in self._server.keys:
            async with self._server.connections.errors():
                traces = await self._server.scripts.run("due", [keys.deadlines], [limit])
            for trace in traces:
                expired += await self._server.end_run(keys, trace.decode(), EXPIRED)
        return expired

    async def stashed(self, trace_id: str, stash: str, *, offset: int, limit: int) -> list[bytes]:
        keys = self._server.keys[partition_of(trace_id)]
        fields = [f"g{stash}#{number}" for number in range(offset + 1, offset + limit + 1)]
        frames = await self._hash_values(keys.run(trace_id)[1], fields)
        return [frame for frame in frames if frame is not None]

    async def recall(self, trace_id: str, name: str) -> bytes | None:
        keys = self._server.keys[partition_of(trace_id)]
        (blob,) = await self._hash_values(keys.run(trace_id)[1], [f"m{name}"])
        return blob

    async def remember(self, trace_id: str, name: str, blob: bytes) -> bytes:
        keys = self._server.keys[partition_of(trace_id)]
        async with self._server.connections.errors():
            kept: bytes = await self._server.scripts.run("remember", list(keys.run(trace_id)), [name, blob])
        return kept

    async def abandoned(self, listener: str, *, wait_s: float) -> list[str]:
        return await self._listening.abandoned(listener, wait_s)

    async def unlisten(self, listener: str) -> None:
        await self._listening.leave(listener)

    async def sweep(self, group: str, *, idle_s: float) -> int:
        swept = 0
        for keys in self._server.keys:
            stream = keys.stream(group)
            swept += await self._server.healed([stream], WORKERS, "sweep", [stream], [WORKERS, int(idle_s * _MS)])
        return swept

    async def backlog(self, group: str) -> int:
        async with self._server.connections.errors():
            return sum([await self._server.connections.commands.xlen(keys.stream(group)) for keys in self._server.keys])

    async def level(self, group: str) -> Level:
        return await level_of(self._server, group, WORKERS)

    async def dead_letters(self, group: str, *, limit: int) -> list[Letter]:
        letters: list[Letter] = []
        async with self._server.connections.errors():
            for partition, keys in enumerate(self._server.keys):
                entries: Any = await self._server.connections.commands.xrange(keys.dead(group), count=limit)
                letters += [Letter(partition, entry_id.decode(), fields[b"letter"]) for entry_id, fields in entries]
        return letters[:limit]

    async def _with_holds(self, keys: Keys, commit: Commit) -> Commit:
        """Add what a run holds that fails by what cannot be opened, and so does not say it."""
        return structs.replace(commit, settled=tuple([await self._complete(keys, one) for one in commit.settled]))

    async def _complete(self, keys: Keys, settled: Settled) -> Settled:
        if not _fails_untold(settled):
            return settled
        holds = await self._server.holds(keys, settled.trace_id)
        return structs.replace(settled, tickets=holds.tickets, keeps_events=holds.keeps_events)

    async def _send(self, keys: Keys, group: str, batch: list[Staged]) -> list[list[bytes]]:
        if any(_fails_untold(settled) for staged in batch for settled in staged.commit.settled):
            batch = [structs.replace(staged, commit=await self._with_holds(keys, staged.commit)) for staged in batch]
        call = calls.commit_call(keys, group, batch, WORKERS, self._server.limits, self._inboxes)
        answers: list[list[bytes]] = await self._server.run("commit", call)
        self._learn(answers.pop())
        for staged, words in zip(batch, answers, strict=True):
            for settled, spill, word in zip(staged.commit.settled, staged.spills, words, strict=True):
                if spill is not None and word in (b"committed", b"duplicate"):
                    await self._spills.empty(keys, group, member_of(settled, spill))
        return answers

    def _learn(self, inboxes: list[bytes]) -> None:
        """Know inboxes from now on, so that commits tell them of the runs that they end; the oldest are forgotten."""
        for inbox in inboxes:
            self._inboxes[inbox.decode()] = None
        while len(self._inboxes) > KNOWN_INBOXES:
            del self._inboxes[next(iter(self._inboxes))]

    async def _promote(self, keys: Keys, group: str, members: list[bytes]) -> int:
        spilled = [member for member in members if isinstance(decode_due(member).what, Spill)]
        for member in spilled:
            await self._spills.empty(keys, group, member)
        due = [(member, await self._holds_for(keys, member)) for member in members if member not in spilled]
        call = calls.promote_call(keys, group, due, self._server.limits)
        return len(spilled) + (await self._server.run("promote", call) if due else 0)

    async def _holds_for(self, keys: Keys, member: bytes) -> Holds:
        """Give what a due member's run holds, where it is an alarm, which may end the run."""
        due = decode_due(member)
        return await self._server.holds(keys, due.trace_id) if isinstance(due.what, Alarm) else Holds()

    async def _hash_values(self, key: str, fields: list[str]) -> list[bytes | None]:
        async with self._server.connections.errors():
            values: Any = await self._server.connections.commands.hmget(key, fields)
        return list(values)


def _fails_untold(settled: Settled) -> bool:
    return settled.terminal is not None and settled.terminal.state is RunState.FAILED and not settled.tickets
