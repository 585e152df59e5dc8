"""Notices, from a thread of its own, when the event loop is blocked, and says by what.

While the loop is blocked no lease is renewed and nothing is read: other workers take the entries over, and the commits
of this one are fenced when it goes on. Nothing here changes that; the log says why it happened.

| event | fields |
| --- | --- |
| `loop_blocked` | `seconds` so far, `in_flight` deliveries by stream, `at`: file:line:function, innermost first |
| `loop_free_again` | `seconds` in all |
"""

import asyncio
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

import structlog

from headrace.kernel.clock import Clock, SystemClock

_log = structlog.get_logger("headrace.watchdog")
_BEATS = 4  # beats, and looks for one, in the time after which a loop is blocked
_FRAMES = 10  # of the stack: the node's own, and enough of what it called


class Watched(Protocol):
    """A consumer, as far as it is watched."""

    counts: Counter[str]

    @property
    def stream(self) -> str:
        """The group's name on the bus."""
        ...

    @property
    def in_flight(self) -> int:
        """Deliveries held."""
        ...


class Watchdog:
    """Watches the event loop that runs it, until it is stopped.

    Args:
        consumers: Those of this loop; each counts `loop_blocked`.
        blocked_after_s: Seconds without a turn of the loop from which it is blocked.
    """

    def __init__(
        self, consumers: Sequence[Watched], *, blocked_after_s: float = 1.0, clock: Clock | None = None
    ) -> None:
        self._consumers = tuple(consumers)
        self._blocked_after_s = blocked_after_s
        self._clock = clock or SystemClock()
        self._beat_s = 0.0
        self._loop_thread = 0
        self._stopping = asyncio.Event()
        self._ended = threading.Event()

    async def run(self) -> None:
        """Watch until `stop`."""
        self._beat_s = self._clock.monotonic()
        self._loop_thread = threading.get_ident()
        thread = threading.Thread(target=self._watch, name="headrace-watchdog")
        thread.start()
        try:
            while not self._stopping.is_set():
                self._beat_s = self._clock.monotonic()
                await self._next_beat()
        finally:
            self._ended.set()
            thread.join()  # it wakes at once, and at most writes a line

    def stop(self) -> None:
        """Ask `run` to return; idempotent, legal before start."""
        self._stopping.set()

    async def _next_beat(self) -> None:
        try:
            async with asyncio.timeout(self._blocked_after_s / _BEATS):
                await self._stopping.wait()
        except TimeoutError:
            return

    def _watch(self) -> None:
        """Run in the thread: tell of each episode once when it is noticed, and once when it is over."""
        blocked_at_s: float | None = None
        while not self._ended.wait(self._blocked_after_s / _BEATS):
            beat_s, now_s = self._beat_s, self._clock.monotonic()
            if blocked_at_s is None and now_s - beat_s > self._blocked_after_s:
                blocked_at_s = beat_s
                self._tell(now_s - beat_s)
            elif blocked_at_s is not None and beat_s != blocked_at_s:
                _log.warning("loop_free_again", seconds=round(beat_s - blocked_at_s, 2))
                blocked_at_s = None

    def _tell(self, seconds: float) -> None:
        for consumer in self._consumers:  # the thread is the only one that counts these
            consumer.counts["loop_blocked"] += 1
        in_flight = {consumer.stream: consumer.in_flight for consumer in self._consumers}
        _log.warning("loop_blocked", seconds=round(seconds, 2), in_flight=in_flight, at=_stack_of(self._loop_thread))


def _stack_of(thread: int) -> list[str]:
    """Give where a thread is, without any value that it works on."""
    # the only way to another thread's stack, and documented
    frame = sys._current_frames().get(thread)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    # no source lines are looked up: that reads files, and they may hold a literal that is payload
    summary = traceback.StackSummary.extract(traceback.walk_stack(frame), limit=_FRAMES, lookup_lines=False)
    return [f"{one.filename}:{one.lineno}:{one.name}" for one in summary]
