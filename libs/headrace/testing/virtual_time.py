"""Time that passes only when nothing else can: sleeps, time-outs and back-offs take none of the machine's.

Where an event loop would sleep until a timer is due, this one goes on to that moment at once. Time stands while a
thread works for it, for a thread's time is the machine's.
"""

import asyncio
import selectors
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple

from anyio import CapacityLimiter

Given = TypeVarTuple("Given")
Made = TypeVar("Made")
START_S = 1_750_000_000.0


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on virtual time, from 0."""

    def __init__(self) -> None:
        self._passed_s = 0.0
        self._threads: CapacityLimiter | None = None
        self._working: set[asyncio.Future[Any]] = set()
        super().__init__(_Jumping(self))

    def time(self) -> float:
        """Seconds that have passed."""
        return self._passed_s

    def heed(self, threads: CapacityLimiter) -> None:
        """Let time stand while any of these is taken, too."""
        self._threads = threads

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Given], Made], *args: *Given
    ) -> asyncio.Future[Made]:
        """As any event loop; time stands until it is done."""
        future = super().run_in_executor(executor, func, *args)
        self._working.add(future)
        future.add_done_callback(self._working.discard)
        return future

    def pass_by(self, seconds: float) -> bool:
        """Let time go on, unless a thread works; tells whether it did."""
        if self._working or (self._threads is not None and self._threads.borrowed_tokens):
            return False
        self._passed_s += seconds
        return True


class VirtualClock:
    """A `kernel.clock.Clock` on the time of a virtual loop.

    Args:
        start: The Unix time that it starts from, in seconds.
    """

    def __init__(self, loop: VirtualLoop, start: float = START_S) -> None:
        self._loop = loop
        self._start_s = start

    def now(self) -> float:
        """Unix time in seconds."""
        return self._start_s + self._loop.time()

    def monotonic(self) -> float:
        """Seconds since the loop was made."""
        return self._loop.time()


class _Jumping(selectors.DefaultSelector):
    """Waits for files and other threads; for time it does not wait."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, Any]]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        found = super().select(0)
        if found or self._loop.pass_by(timeout):
            return found
        return super().select(None)  # a thread will say when it is done
