"""Whether a bus answers, and waiting until it does."""

import asyncio

import structlog

from headrace.bus.protocol import Ingress
from headrace.errors import BusUnavailableError
from headrace.wire.trace import NO_RUN

_log = structlog.get_logger("headrace.service")
_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 5.0


async def probe(bus: Ingress) -> None:
    """Ask the bus for something small.

    Raises:
        BusUnavailableError: It is away.
        BusError: It answered with an error.
    """
    await bus.view(NO_RUN)  # one small read


async def until_reachable(bus: Ingress, stopping: asyncio.Event) -> bool:
    """Wait until the bus answers, and say so while it does not; gives False where `stopping` was set first.

    Raises:
        BusError: It answered with an error, which waiting does not mend.
    """
    pause_s = _FIRST_PAUSE_S
    while not stopping.is_set():
        try:
            await probe(bus)
        except BusUnavailableError as error:
            _log.warning("bus_awaited", why=str(error), again_s=pause_s)
            await pause(stopping, pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
        else:
            return True
    return False


async def pause(stopping: asyncio.Event, pause_s: float) -> None:
    """Wait for some seconds, or until `stopping` is set."""
    try:
        async with asyncio.timeout(pause_s):
            await stopping.wait()
    except TimeoutError:
        return
