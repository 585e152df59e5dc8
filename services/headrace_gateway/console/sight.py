"""What the console needs to see of a bus; how much of it there is depends on the bus."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from headrace.bus.redis.inspect.groups import Group
from headrace.bus.redis.inspect.letters import FoundLetter
from headrace.bus.redis.inspect.runs import RunList
from headrace.bus.redis.inspect.story import Story
from headrace.graph.plan import ExecutionPlan
from headrace.ledger.values import Letter, Submission


class CallsNow(Struct, frozen=True):
    """Calls of nodes in this process since it started."""

    ended: int = 0
    failed: int = 0


class Letters(Struct, frozen=True):
    """Dead letters, oldest first in each group.

    Attributes:
        is_all: Whether none was left out.
    """

    found: tuple[FoundLetter, ...]
    is_all: bool


class Sight(Protocol):
    """What can be seen.

    Attributes:
        bus: The word for it: `redis`, `tcp` or `memory`.
        missing: What cannot be seen here, each in a sentence for people.
    """

    bus: str
    missing: tuple[str, ...]

    async def groups(self, streams: Sequence[str]) -> list[Group]:
        """Look at groups, by the names of their streams, in the same order."""
        ...

    def calls(self, plan: ExecutionPlan) -> dict[str, CallsNow]:
        """Give the calls by node; empty where nodes run in other processes."""
        ...

    async def runs(self) -> RunList | None:
        """List runs, newest first, a bounded number of them; None where they cannot be listed."""
        ...

    async def story(self, trace_id: str) -> Story | None:
        """Tell where a run stands; None where it is unknown."""
        ...

    async def letters(self, streams: Sequence[str]) -> Letters:
        """Look at the dead letters of groups, a bounded number of them."""
        ...

    async def letter(self, name: tuple[str, int, str]) -> FoundLetter | None:
        """Look one up by what `parse_name` gives; None where it is gone."""
        ...

    async def redrive(self, stream: str, letter: Letter, submission: Submission) -> bool:
        """Start a letter's work again and take it out, as one step; False where it is gone."""
        ...
