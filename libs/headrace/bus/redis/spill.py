"""Spills: a hop with more outputs than one call should carry commits at once, and its outputs are recorded in parts.

The outputs are staged in a list first, which expires if nothing comes of it. The commit then keeps the list, counts
what is in it as work of the run, and puts it into the group's schedule. Whoever empties it, the committer at once or
any worker of the group later, records a part a call. So no fan-out stalls the server, and none is cut in half.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import structs

from headrace.bus.redis.call import Due, Spill, decode_due, encode_due
from headrace.bus.redis.calls import Part, Staged, unspill_call
from headrace.bus.redis.keys import Keys
from headrace.bus.redis.server import Server
from headrace.kernel.clock import random_bytes
from headrace.ledger.values import Arrive, Commit, Feed, Output, Schedule, Settled

DEFAULT_SPILL_OVER = 500  # outputs in one call: a few ms of the server's time
_STAGED_S = 3600
_NAME_BYTES = 8

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder[Output](Output).decode


class Spills:
    """Stages and empties spills.

    Args:
        server: Shared with the other parts.
        over: The most outputs of one call.
    """

    def __init__(self, server: Server, over: int) -> None:
        self._server = server
        self._over = over

    def fits(self, commit: Commit) -> bool:
        """Tell whether one call can hold all of a commit."""
        return all(len(settled.outputs) <= self._over for settled in commit.settled)

    async def stage(self, keys: Keys, group: str, commit: Commit) -> Staged:
        """Take the outputs out of a commit that are too many for one call."""
        staged = [await self._staged(keys, group, settled) for settled in commit.settled]
        return Staged(structs.replace(commit, settled=tuple(one for one, _ in staged)), tuple(one for _, one in staged))

    async def empty(self, keys: Keys, group: str, member: bytes) -> None:
        """Record what is left of a spill, part by part; nothing happens where another has done that."""
        due = decode_due(member)
        holds = await self._server.holds(keys, due.trace_id)
        commands = self._server.connections.commands
        left = -1
        while left and isinstance(due.what, Spill):
            key = due.what.key
            async with self._server.connections.errors():
                length: Any = await commands.llen(key)
                raw: Any = await commands.lrange(key, 0, self._over - 1)
            outputs = tuple(_decode(one) for one in raw)
            part = Part(due.trace_id, key, member, length, outputs, tuple(_as_they_lie(outputs)))
            left = await self._server.run("unspill", unspill_call(keys, group, part, holds, self._server.limits))

    async def _staged(self, keys: Keys, group: str, settled: Settled) -> tuple[Settled, Spill | None]:
        if len(settled.outputs) <= self._over:
            return settled, None
        outputs = sorted(settled.outputs, key=_keeps_no_place)
        now, later = tuple(outputs[: self._over]), outputs[self._over :]
        key = keys.spill(group, settled.trace_id, random_bytes(_NAME_BYTES).hex())
        commands = self._server.connections.commands
        async with self._server.connections.errors():
            for start in range(0, len(later), self._over):
                await commands.rpush(key, *map(_encode, later[start : start + self._over]))
            await commands.expire(key, _STAGED_S)
        return structs.replace(settled, outputs=now), Spill(key, len(later), tuple(_as_they_lie(later)))


def member_of(settled: Settled, spill: Spill) -> bytes:
    """Give the spill's member in the schedule."""
    return encode_due(Due(settled.trace_id, structs.replace(spill, feeds=())))


def calls_of(commits: Sequence[Staged], over: int) -> Iterable[list[Staged]]:
    """Part commits, in order, into calls of at most so many outputs each."""
    batch: list[Staged] = []
    size = 0
    for staged in commits:
        outputs = sum(1 + len(settled.outputs) for settled in staged.commit.settled)
        if batch and size + outputs > over:
            yield batch
            batch, size = [], 0
        batch.append(staged)
        size += outputs
    if batch:
        yield batch


def _keeps_no_place(output: Output) -> bool:
    """Sort a retry in a lane to the front: by it the commit knows that the ticket stays."""
    return not (isinstance(output, Schedule) and output.lane)


def _as_they_lie(outputs: Iterable[Output]) -> list[Feed]:
    """Give what outputs may lead to before they are recorded: one that reaches a join may feed that, too."""
    feeds: list[Feed] = []
    for output in outputs:
        if isinstance(output, Arrive):
            feeds.append(Feed(output.join, output.slot))
        feeds += output.feeds
    return feeds
