"""Time and randomness, which the library takes as arguments; the only module that reads the machine's own."""

import os
import time
from typing import Protocol


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

    def now(self) -> float:
        """Unix time in seconds; may jump."""
        return time.time()  # noqa: TID251 - the one place where the system clock is read

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""
        return time.monotonic()


def random_bytes(count: int) -> bytes:
    """Give unpredictable bytes, for trace ids and names of instances."""
    return os.urandom(count)
