"""All that an operator's commands see of Redis, for the console; over connections that no request waits for."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from headrace.bus.protocol import Bus
from headrace.bus.redis.inspect.groups import Group, Groups
from headrace.bus.redis.inspect.letters import FoundLetter, Wanted, all_letters, letter_of
from headrace.bus.redis.inspect.places import Places
from headrace.bus.redis.inspect.runs import RunList, list_runs
from headrace.bus.redis.inspect.story import Story, story_of
from headrace.graph.plan import ExecutionPlan
from headrace.ledger.values import Letter, Submission
from headrace_gateway.console.sight import CallsNow, Letters

_HEADS = 25  # entries of each stream whose nodes are told: of the largest messages 25 MB, of most 25 kB
_MOST_RUNS = 20_000  # half a second to read, ten megabytes to keep
_MOST_LETTERS = 1_000


class RedisSight:
    """Sees a deployment on Redis.

    Args:
        places: Stays the caller's, who closes it.
        bus: As `places`; its user may change what the console changes.
        partitions: As the bus's.
    """

    bus = "redis"
    missing: tuple[str, ...] = (
        "Calls of single nodes: rates are of groups, since a hop runs several nodes of a group at once.",
    )

    def __init__(self, places: Places, bus: Bus, *, partitions: int = 1) -> None:
        self._places = places
        self._bus = bus
        self._partitions = partitions

    async def groups(self, streams: Sequence[str]) -> list[Group]:
        """As `Sight.groups`."""
        groups = Groups(self._places, Wanted(), heads=_HEADS)
        await groups.take(streams, self._partitions)
        seen = {group.name: group for group in (await groups.look()).groups}
        return [seen.get(stream, Group(stream)) for stream in streams]

    def calls(self, plan: ExecutionPlan) -> dict[str, CallsNow]:
        """As `Sight.calls`."""
        del plan  # its nodes run in workers
        return {}

    async def runs(self) -> RunList:
        """As `Sight.runs`."""
        return await list_runs(self._places, limit=_MOST_RUNS, looked_at=_MOST_RUNS)

    async def story(self, trace_id: str) -> Story | None:
        """As `Sight.story`."""
        return await story_of(self._places, trace_id)

    async def letters(self, streams: Sequence[str]) -> Letters:
        """As `Sight.letters`."""
        found: list[FoundLetter] = []
        letters: AsyncGenerator[FoundLetter] = all_letters(self._places, Wanted())
        async with aclosing(letters):
            async for letter in letters:
                if letter.stream not in streams:
                    continue
                if len(found) == _MOST_LETTERS:
                    return Letters(tuple(found), is_all=False)
                found.append(letter)
        return Letters(tuple(found), is_all=True)

    async def letter(self, name: tuple[str, int, str]) -> FoundLetter | None:
        """As `Sight.letter`."""
        return await letter_of(self._places, name)

    async def redrive(self, stream: str, letter: Letter, submission: Submission) -> bool:
        """As `Sight.redrive`."""
        return await self._bus.redrive(stream, letter, submission)
