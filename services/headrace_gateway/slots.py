"""The slots of an endpoint: how many requests may be under way in it at a time."""

import asyncio
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from types import TracebackType

from headrace_gateway.drain import Drain
from headrace_gateway.refusals import over_limit

LIMIT = "max_waiters"


class Slots:
    """The slots of one endpoint, to be held with `with`.

    Args:
        limit: How many there are.

    Attributes:
        taken: How many are held.
        freed: How many have been given back since the start.
        refused: How many requests found none.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken = 0
        self.freed = 0
        self.refused = 0
        self._drain = Drain()

    def __enter__(self) -> None:
        """Take one.

        Raises:
            ProblemError: None is free.
        """
        if self.taken >= self.limit:
            self.refused += 1
            self._drain.look(self.freed, asyncio.get_running_loop().time())
            detail = f"{self.limit} requests are under way here, which is the limit"
            raise over_limit(LIMIT, self.limit, detail, retry_after_s=self._drain.retry_after_s(self.limit))
        self.taken += 1

    @contextmanager
    def held(self) -> Generator[ExitStack]:
        """Hold one, raising as `with` does, until the context closes, or as long as whoever took its stack over."""
        with ExitStack() as held:
            held.enter_context(self)
            yield held

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give it back."""
        self.taken -= 1
        self.freed += 1
