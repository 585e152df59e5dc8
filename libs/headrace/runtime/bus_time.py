"""Keeps this process's `BusClock` right: asks the bus for its time at the start and every half minute."""

import asyncio

import structlog

from headrace.bus.protocol import Ingress
from headrace.errors import BusError
from headrace.kernel.clock import BusClock

_log = structlog.get_logger("headrace.service")
_EVERY_S = 30.0  # two machines' quartz drifts apart by 3 ms meanwhile
_RETRY_S = 0.2  # between tries while the bus is away
_START_S = 1.0


class BusTime:
    """Sets a clock until it is stopped; a gate that opens when the clock was set once."""

    def __init__(self, bus: Ingress, clock: BusClock, *, every_s: float = _EVERY_S) -> None:
        self._bus = bus
        self._clock = clock
        self._every_s = every_s
        self._stopping = asyncio.Event()
        self._is_set = asyncio.Event()

    async def run(self) -> None:
        """Set the clock now and then, until `stop`."""
        while not self._stopping.is_set():
            pause_s = self._every_s
            try:
                await self._sync()
            except BusError as error:
                _log.warning("time_unknown", code=error.code)
                pause_s = _RETRY_S
            await _within(pause_s, self._stopping)

    def stop(self) -> None:
        """Ask `run` to return; idempotent, legal before start."""
        self._stopping.set()

    def is_open(self) -> bool:
        """Whether the clock was set."""
        return self._is_set.is_set()

    async def opened(self) -> None:
        """Wait until the clock was set."""
        await self._is_set.wait()

    async def first(self) -> None:
        """Wait until the clock was set once; a bus that is away is waited for a second, since nothing else can be."""
        await _within(_START_S, self._is_set)

    async def _sync(self) -> None:
        asked_s = self._clock.monotonic()
        now_ms = await self._bus.now_ms()
        # the answer is half a round trip old; on the way there and back is taken to be alike
        self._clock.sync(now_ms, (asked_s + self._clock.monotonic()) / 2)
        self._is_set.set()


async def _within(bound_s: float, event: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(bound_s):
            await event.wait()
    except TimeoutError:
        return
