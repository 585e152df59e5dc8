"""Tells the bus, while hops are under way, what they tell of themselves: all hops of the process together, batched."""

import asyncio
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Protocol

import structlog

from headrace.errors import BusError
from headrace.kernel.telling import Telling
from headrace.ledger.told import Told
from headrace.ledger.values import Delivery

_log = structlog.get_logger("headrace.consumer")
_EVERY_S = 0.025  # tokens are read by people; a hop that is shorter tells by its commit, without a call of its own
_RETRY_S = 0.2  # between tries while the bus is away


class Teller:
    """Tells for one process.

    Args:
        every_s: Seconds for which events are collected before they are told.
    """

    def __init__(self, bus: "Hears", *, every_s: float = _EVERY_S) -> None:
        self._bus = bus
        self._every_s = every_s
        self._under_way: set[Telling] = set()
        self._due = asyncio.Event()
        self._stopping = asyncio.Event()

    @contextmanager
    def telling(self, trace_id: str, delivery: Delivery, worker: str) -> Generator[Telling]:
        """Collect a hop's events, and tell them meanwhile; as `kernel.telling.Tells` says."""
        telling = Telling(trace_id, delivery, worker, self._due.set)
        self._under_way.add(telling)
        try:
            yield telling
        finally:
            self._under_way.discard(telling)

    async def run(self) -> None:
        """Tell until `stop`; hops still under way then tell by their commits."""
        while not self._stopping.is_set():
            await self._due.wait()
            self._due.clear()
            if not await self._is_stopping_within(self._every_s):
                await self._tell()

    def stop(self) -> None:
        """Ask `run` to return; idempotent, legal before start."""
        self._stopping.set()
        self._due.set()

    async def _tell(self) -> None:
        untold = [(telling, told) for telling in self._under_way if (told := telling.untold())]
        if not untold:
            return
        try:
            await self._bus.tell([one for _, told in untold for one in told])
        except BusError as error:  # it may have been kept; telling again keeps it once
            _log.warning("events_wait", code=error.code)
            await self._is_stopping_within(_RETRY_S)
            self._due.set()
        else:
            for telling, told in untold:
                telling.was_told(told)

    async def _is_stopping_within(self, pause_s: float) -> bool:
        try:
            async with asyncio.timeout(pause_s):
                return await self._stopping.wait()
        except TimeoutError:
            return False


class Hears(Protocol):
    """The part of a bus that a teller needs."""

    async def tell(self, told: Sequence[Told]) -> None:
        """Keep events of calls that are under way; as `bus.protocol.Events.tell`."""
        ...
