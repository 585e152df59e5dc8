"""Answers that took from the bus what they give, kept until the next call of their kind says that they came.

So what a caller was to hear is not lost with its connection, nor with a call that it cancelled.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import Struct

_LIMIT = 4096  # who lives asks twice a second; what has been asked for longest ago is of somebody who is gone


class Numbered(Struct, frozen=True):
    """What an answer gives, and its number among those of its caller."""

    number: int
    given: list[Any]


class Kept:
    """The last answer of each caller."""

    def __init__(self, limit: int = _LIMIT) -> None:
        self._limit = limit
        self._last: OrderedDict[tuple[str, str], Numbered] = OrderedDict()

    async def ask(self, caller: tuple[str, str], after: int, ask: Callable[[], Awaitable[list[Any]]]) -> Numbered:
        """Give the last answer again where it did not come, and ask for the next one otherwise.

        Args:
            caller: The method and the caller's name.
            after: The number of the last answer that came.
        """
        last = self._last.get(caller)
        if last is not None and last.number != after:
            self._last.move_to_end(caller)
            return last
        self._last.pop(caller, None)
        given = await ask()
        if not given:
            return Numbered(after, given)
        return self._keep(caller, after, given)

    def _keep(self, caller: tuple[str, str], after: int, given: list[Any]) -> Numbered:
        # a call that its caller has given up may have ended meanwhile, and nobody knows whether what it gave came
        other = self._last.get(caller)
        if other is not None:
            given = other.given + given
        kept = Numbered(max(after, other.number if other else 0) + 1, given)
        self._last[caller] = kept
        self._last.move_to_end(caller)
        if len(self._last) > self._limit:
            self._last.popitem(last=False)
        return kept
