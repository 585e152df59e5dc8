"""Waiting for a bus that is fit, in place of a service's work: what an init container is for.

| event | fields | when |
| --- | --- | --- |
| `bus_awaited` (info) | why, for_s | the bus is away or not fit, each time that this changes; for_s: seconds left |
"""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

import structlog

from headrace.bus.redis.bus import RedisBus
from headrace.bus.redis.inspect.checks import Check
from headrace.bus.redis.inspect.fitness import failing
from headrace.bus.redis.inspect.places import Places
from headrace.errors import BusError, BusUnavailableError
from headrace.kernel.clock import SystemClock
from headrace.runtime.reachable import pause, probe
from headrace.runtime.signals import stop_signals
from headrace.settings.bus import BusSettings, open_bus

_log = structlog.get_logger("headrace.service")
_AGAIN_S = 0.5


async def require_fit(settings: BusSettings, within_s: float) -> None:
    """Wait until the bus is fit, or SIGTERM or SIGINT ends the wait.

    Args:
        within_s: The most seconds to wait.

    Raises:
        SettingsError: The address is no bus that processes share.
        BusUnavailableError: The bus could not be reached, the last time that it was tried.
        BusError: The bus answered then, and something that Headrace needs of it failed.
    """
    with stop_signals() as stopping:
        if failed := await until_fit(settings, within_s, stopping):
            raise _unfit(failed)


async def until_fit(settings: BusSettings, within_s: float, stopping: asyncio.Event) -> list[Check]:
    """Examine the bus until nothing fails, the time is over, or `stopping` is set; gives what failed the last time.

    Raises:
        SettingsError: The address is no bus that processes share.
        BusUnavailableError: The bus could not be reached, the last time that it was tried.
    """
    loop = asyncio.get_running_loop()
    until_s = loop.time() + within_s
    said = ""
    while True:
        is_last = stopping.is_set() or loop.time() + _AGAIN_S > until_s
        try:
            failed = await _failing(settings)
            if is_last or not failed:
                return failed
            why = str(_unfit(failed))
        except BusUnavailableError as error:
            if is_last:
                raise
            why = str(error)
        if why != said:
            said = why
            _log.info("bus_awaited", why=why, for_s=round(until_s - loop.time(), 1))
        await pause(stopping, _AGAIN_S)


def _unfit(failed: Sequence[Check]) -> BusError:
    return BusError("the bus is not fit: " + "; ".join(f"{each.name}: {each.found}; {each.advice}" for each in failed))


async def _failing(settings: BusSettings) -> list[Check]:
    bus = open_bus(settings)
    if not isinstance(bus, RedisBus):  # a broker of ours is fit when it answers
        async with aclosing(bus):
            await probe(bus)
        return []
    async with aclosing(Places(settings.bus_url, settings.namespace)) as places:
        return await failing(places, settings.partitions, SystemClock())
