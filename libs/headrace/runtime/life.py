"""Whether a reader lives, for whoever would start its process again otherwise."""

import asyncio
from typing import Protocol

_DEAD_S = 30.0  # a turn of the reader takes half a second, and 15 s where the bus hangs


class Reader(Protocol):
    """A consumer, as far as its life goes."""

    @property
    def turn_s(self) -> float:
        """Loop time of the reader's last turn."""
        ...

    @property
    def is_full(self) -> bool:
        """Whether nothing is read for the time being because all slots are taken."""
        ...


class Life:
    """Judges a reader by its turns; made, and asked, in its event loop.

    A reader is dead where starting its process again would help. So it lives while all its slots are taken by long
    hops, and while the bus is away.
    """

    def __init__(self, reader: Reader, *, dead_s: float = _DEAD_S) -> None:
        self._reader = reader
        self._dead_s = dead_s
        self._alive_s = asyncio.get_running_loop().time()

    def is_alive(self) -> bool:
        """Tell whether the reader lives."""
        now_s = asyncio.get_running_loop().time()
        if self._reader.is_full:
            self._alive_s = now_s
        return now_s - max(self._alive_s, self._reader.turn_s) <= self._dead_s
