"""Reads events of all runs that are followed in this process, in one read, each follower from its own place.

A follower holds a bounded number of events at a time, and is read for again when it has taken them: they are kept by
the bus meanwhile, so one that is slow costs no memory here and loses nothing.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

import structlog

from headrace.bus.protocol import Events
from headrace.errors import BusError
from headrace.ledger.values import RunEvent

_log = structlog.get_logger("headrace.events")
_WAIT_S = 2.0  # as long as a bus waits at most
_RETRY_S = 0.2  # between reads while the bus is away
_MOST = 256  # events that one read gives a follower


class Follower:
    """Who follows one run.

    Args:
        after: The place behind which it follows.
    """

    def __init__(self, trace_id: str, after: int) -> None:
        self.trace_id = trace_id
        self.after = after
        self._taken: list[RunEvent] = []
        self._arrived = asyncio.Event()
        self.is_over = False

    @property
    def has_room(self) -> bool:
        """Whether it is to be read for."""
        return not self._taken

    def give(self, events: list[RunEvent]) -> None:
        """Give it events; what it has already is left out."""
        new = [event for event in events if event.seq > self.after]
        if new:
            self._taken = new
            self.after = new[-1].seq
            self._arrived.set()

    def end(self) -> None:
        """Let it wait for nothing any more."""
        self.is_over = True
        self._arrived.set()

    async def take(self, wait_s: float) -> list[RunEvent]:
        """Take what has come; an empty list says that nothing did."""
        try:
            async with asyncio.timeout(wait_s):
                await self._arrived.wait()
        except TimeoutError:
            return []
        taken, self._taken = self._taken, []
        if not self.is_over:
            self._arrived.clear()
        return taken


class Followers:
    """The followers of one process."""

    def __init__(self, bus: Events) -> None:
        self._bus = bus
        self._followers: set[Follower] = set()
        self._changed = asyncio.Event()
        self._stopping = asyncio.Event()
        self._is_over = False

    def __len__(self) -> int:
        """Count the followers."""
        return len(self._followers)

    @asynccontextmanager
    async def following(self, trace_id: str, after: int) -> AsyncGenerator[Follower]:
        """Follow a run until the context closes."""
        follower = Follower(trace_id, after)
        if self._is_over:
            follower.end()
        self._followers.add(follower)
        self._changed.set()
        try:
            yield follower
        finally:
            self._followers.discard(follower)

    async def take(self, follower: Follower, wait_s: float) -> list[RunEvent]:
        """Take what has come for a follower, and have more read; an empty list says that nothing came."""
        taken = await follower.take(wait_s)
        if taken:
            self._changed.set()
        return taken

    async def run(self) -> None:
        """Read until `stop`; then all followers are ended."""
        try:
            while not self._stopping.is_set():
                self._changed.clear()
                wanted = self._wanted()
                if not wanted:
                    await self._changed.wait()
                    continue
                try:
                    found = await self._read(wanted)
                except BusError as error:
                    _log.warning("events_unreadable", code=error.code)
                    await asyncio.sleep(_RETRY_S)
                else:
                    self._give(wanted, found)
        finally:
            self.close()

    def stop(self) -> None:
        """Ask `run` to return; idempotent, legal before start."""
        self._stopping.set()
        self._changed.set()

    def close(self) -> None:
        """End all followers, and those that come later: this process is about to stop, and others can be asked."""
        self._is_over = True
        for follower in self._followers:
            follower.end()

    def _wanted(self) -> dict[str, int]:
        wanted: dict[str, int] = {}
        for follower in self._followers:
            if follower.has_room and not follower.is_over:
                wanted[follower.trace_id] = min(follower.after, wanted.get(follower.trace_id, follower.after))
        return wanted

    async def _read(self, wanted: Mapping[str, int]) -> dict[str, list[RunEvent]]:
        """Read for all who have room; who comes meanwhile ends the read, which takes nothing from the bus."""
        reading = asyncio.ensure_future(self._bus.events(wanted, limit=_MOST, wait_s=_WAIT_S))
        changed = asyncio.ensure_future(self._changed.wait())
        try:
            await asyncio.wait((reading, changed), return_when=asyncio.FIRST_COMPLETED)
        finally:
            changed.cancel()
            if not reading.done():
                reading.cancel()
                await asyncio.wait((reading,))
        return {} if reading.cancelled() else reading.result()

    def _give(self, wanted: Mapping[str, int], found: Mapping[str, list[RunEvent]]) -> None:
        for follower in self._followers:
            events = found.get(follower.trace_id)
            # who came, or took, during the read may be behind the place that was read from
            if events and follower.has_room and follower.after >= wanted[follower.trace_id]:
                follower.give(events)
