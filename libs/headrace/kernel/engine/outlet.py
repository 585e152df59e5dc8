"""Where a run's events wait for their reader; bounded, so that the run goes no faster than they are read."""

import asyncio
from collections import deque

import anyio

from headrace.kernel.events import KernelEvent
from headrace.kernel.loop import Bell, new_bell, new_event

CAPACITY = 1024  # events; a call under way may put more, the next one waits


class Outlet:
    """Events on their way from one run to one reader.

    Attributes:
        events: Those not read yet.
        is_closed: No further one comes.
    """

    def __init__(self) -> None:
        self.events: deque[KernelEvent] = deque()
        self.is_closed = False
        self._news: anyio.Event | Bell | None = None
        self._room: anyio.Event | asyncio.Event | None = None

    @property
    def is_full(self) -> bool:
        """Whether the run has to wait."""
        return len(self.events) >= CAPACITY

    def put(self, event: KernelEvent) -> None:
        """Take an event in, whether there is room or not."""
        self.events.append(event)
        if self._news is not None:
            self._news.set()
            self._news = None

    def close(self) -> None:
        """Tell the reader that there is no more."""
        self.is_closed = True
        if self._news is not None:
            self._news.set()
            self._news = None

    async def closed(self) -> None:
        """Wait until there is no more, and drop what there is."""
        while not self.is_closed:
            self.events.clear()
            await self.news()
        self.events.clear()

    def drained(self) -> None:
        """Let the run go on: all events are read."""
        if self._room is not None:
            self._room.set()
            self._room = None

    async def news(self) -> None:
        """Wait for an event, or for the end."""
        if self._room is not None:
            self.drained()
        while not self.events and not self.is_closed:
            self._news = new_bell()
            await self._news.wait()

    async def room(self) -> None:
        """Wait until the reader has come after."""
        while self.is_full:
            if self._room is None:
                self._room = new_event()
            await self._room.wait()
