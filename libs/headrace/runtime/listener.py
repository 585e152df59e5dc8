"""Hears of runs that were abandoned, and has this process's consumers stop their work (I8).

A bus answers a cancel when every listener has asked again, so asking again says that nothing more will be started.
"""

import asyncio
import math
from collections.abc import Callable, Sequence

import structlog

from headrace.bus.protocol import Work
from headrace.errors import BusError

_log = structlog.get_logger("headrace.consumer")
_WAIT_S = 0.5
_RETRY_S = 0.2  # between tries while the bus is away
_SURE_S = 2.5  # buses take a listener for dead that has been silent for 3 s and more


class Listener:
    """Listens for one process.

    It is a gate: closed until all is known that had been abandoned, and again when this process was silent for so long
    that a bus may have taken it for dead, and answered a cancel without it.

    Args:
        name: This process's name, unique among live ones.
        abandon: Is told trace_ids; when it returns, none of these runs' nodes is started any more.
        sure_s: Seconds of silence after which it may have been taken for dead.
    """

    def __init__(
        self, bus: Work, name: str, abandon: Callable[[Sequence[str]], None], *, sure_s: float = _SURE_S
    ) -> None:
        self._bus = bus
        self._name = name
        self._abandon = abandon
        self._sure_s = sure_s
        self._stopping = asyncio.Event()
        self._asked_s = -math.inf
        self._opened = asyncio.Event()

    def is_open(self) -> bool:
        """Whether everything abandoned is known here."""
        if asyncio.get_running_loop().time() - self._asked_s >= self._sure_s:
            self._opened.clear()
        return self._opened.is_set()

    async def opened(self) -> None:
        """Wait until it is open."""
        await self._opened.wait()

    async def run(self) -> None:
        """Listen until `stop`, after which nobody waits for this process.

        A bus that was away for long took it for dead, and then gives everything again, as at the first call.
        """
        while not self._stopping.is_set():
            asked_s = asyncio.get_running_loop().time()
            try:  # what was heard is confirmed by the next call, so that may wait
                traces = await self._ask(_WAIT_S if self.is_open() else 0.0)
            except BusError as error:
                _log.warning("abandoned_unknown", code=error.code)
                await asyncio.sleep(_RETRY_S)
                continue
            if traces:
                self._abandon(traces)
            self._asked_s = asked_s
            if asyncio.get_running_loop().time() - asked_s < self._sure_s:
                self._opened.set()
        await self._leave()

    def stop(self) -> None:
        """Ask `run` to return; idempotent, legal before start."""
        self._stopping.set()

    async def _ask(self, wait_s: float) -> list[str]:
        """Ask for what was abandoned; a stop ends that at once, as a listener that stops has nothing to confirm."""
        asking = asyncio.ensure_future(self._bus.abandoned(self._name, wait_s=wait_s))
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait((asking, stopping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            if not asking.done():
                asking.cancel()
                await asyncio.wait((asking,))
        return [] if asking.cancelled() else asking.result()

    async def _leave(self) -> None:
        try:
            await self._bus.unlisten(self._name)
        except BusError as error:  # it is taken for dead soon
            _log.warning("unlisten_failed", code=error.code)
