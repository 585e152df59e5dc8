"""A file that is touched while a consumer works, for a probe that looks how old it is.

A worker and a reply service serve nothing over a network, so an orchestrator asks by a command:

    find /run/headrace/heartbeat -mmin -1 | grep -q .

The file gets old when the event loop is blocked or the reader has died: where starting the worker again would help. It
does not while all slots are taken by long hops, nor while the bus is away.
"""

import asyncio
from pathlib import Path

from headrace.runtime.life import Life

_EVERY_S = 1.0


class Heartbeat:
    """Touches a file every second, as long as the reader lives."""

    def __init__(self, file: Path, life: Life, *, every_s: float = _EVERY_S) -> None:
        self._file = file
        self._life = life
        self._every_s = every_s
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Touch the file until `stop`."""
        while not self._stopping.is_set():
            if self._life.is_alive():
                self._file.touch()
            await self._next()

    def stop(self) -> None:
        """Ask `run` to return; idempotent, legal before start."""
        self._stopping.set()

    async def _next(self) -> None:
        try:
            async with asyncio.timeout(self._every_s):
                await self._stopping.wait()
        except TimeoutError:
            return


def heartbeats(file: Path | None, life: Life) -> tuple[Heartbeat, ...]:
    """Give the heartbeat of a service that is to have one."""
    return (Heartbeat(file, life),) if file else ()
