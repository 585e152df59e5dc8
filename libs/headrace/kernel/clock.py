"""Time and randomness, which the library takes as arguments; the only module that reads the machine's own."""

import os
import time
from typing import Protocol

_MS = 1000


class Clock(Protocol):
    """A source of time."""

    def now(self) -> float:
        """Unix time in seconds; may jump."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""
        ...


class SystemClock:
    """The machine's clock."""

    now = staticmethod(time.time)  # noqa: TID251 - the one place where the system clock is read
    monotonic = staticmethod(time.monotonic)


class BusClock:
    """The bus's time, which all hosts share: the machine's steady clock, set by what the bus said last.

    It does no I/O; whoever speaks to the bus calls `sync`. Until then it goes by the machine's time of day.

    Args:
        local: The machine's own.
    """

    def __init__(self, local: Clock | None = None) -> None:
        self._local = local or SystemClock()
        self._offset_s = self._local.now() - self._local.monotonic()

    def now(self) -> float:
        """Unix time in seconds by the bus; jumps only when it is set."""
        return self._local.monotonic() + self._offset_s

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""
        return self._local.monotonic()

    def sync(self, now_ms: int, at_s: float) -> None:
        """Set it.

        Args:
            now_ms: Unix time in milliseconds, by the bus.
            at_s: What `monotonic` gave, or would have given, at that moment.
        """
        self._offset_s = now_ms / _MS - at_s


def random_bytes(count: int) -> bytes:
    """Give unpredictable bytes, for trace ids and names of instances."""
    return os.urandom(count)
