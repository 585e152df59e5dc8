"""Who listens for abandoned runs in one process, and who has dealt with what it was told."""

import asyncio
from collections import deque

_PATIENCE_S = 3.0


class Listeners:
    """News for each listener, and whether it came back for more."""

    def __init__(self) -> None:
        self._news: dict[str, deque[str]] = {}
        self._busy: set[str] = set()
        self._heard = asyncio.Event()

    def knows(self, listener: str) -> bool:
        """Whether it has begun to listen."""
        return listener in self._news

    def begin(self, listener: str, known: list[str]) -> list[str]:
        """Add a listener and give it what there is."""
        self._news[listener] = deque()
        self._busy.add(listener)
        return known

    def has_news(self, listener: str) -> bool:
        """Note that a listener has dealt with what it took, and tell whether there is more for it."""
        self._busy.discard(listener)
        self._heard.set()
        return bool(self._news[listener])

    def take(self, listener: str) -> list[str]:
        """Give a listener its news."""
        news = self._news.get(listener, deque[str]())
        taken = list(news)
        news.clear()
        if taken:
            self._busy.add(listener)
        return taken

    def tell(self, trace_id: str) -> None:
        """Put a run into everybody's news."""
        for news in self._news.values():
            news.append(trace_id)

    def leave(self, listener: str) -> None:
        """Take a listener back."""
        self._news.pop(listener, None)
        self._busy.discard(listener)
        self._heard.set()

    async def have_heard(self) -> None:
        """Wait until all have dealt with what they were told, for a few seconds at most."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                while self._busy or any(self._news.values()):
                    self._heard.clear()
                    await self._heard.wait()
        except TimeoutError:
            return
