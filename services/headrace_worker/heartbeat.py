"""A file that is touched while a worker works, for a probe that looks how old it is.

The worker serves nothing over a network, so an orchestrator asks by a command:

    find /run/worker/heartbeat -mmin -1 | grep -q .

The file gets old when the event loop is blocked or the reader has died: where starting the worker again would help. It
does not while all slots are taken by long hops, nor while the bus is away.
"""

import asyncio
from pathlib import Path
from typing import Protocol

_EVERY_S = 1.0
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


class Heartbeat:
    """Touches a file every second, as long as the reader lives."""

    def __init__(self, file: Path, reader: Reader, *, every_s: float = _EVERY_S, dead_s: float = _DEAD_S) -> None:
        self._file = file
        self._reader = reader
        self._every_s = every_s
        self._dead_s = dead_s
        self._alive_s = 0.0
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Touch the file until `stop`."""
        self._alive_s = asyncio.get_running_loop().time()
        while not self._stopping.is_set():
            if self._is_alive():
                self._file.touch()
            await self._next()

    def stop(self) -> None:
        """Ask `run` to return; idempotent, legal before start."""
        self._stopping.set()

    def _is_alive(self) -> bool:
        now_s = asyncio.get_running_loop().time()
        if self._reader.is_full:
            self._alive_s = now_s
        return now_s - max(self._alive_s, self._reader.turn_s) <= self._dead_s

    async def _next(self) -> None:
        try:
            async with asyncio.timeout(self._every_s):
                await self._stopping.wait()
        except TimeoutError:
            return
