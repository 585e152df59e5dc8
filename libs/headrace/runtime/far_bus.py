"""A bus that lives in another thread's event loop: every call is carried out there."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, cast

from headrace.bus.protocol import Bus


def far_bus(bus: Bus, home: asyncio.AbstractEventLoop) -> Bus:
    """Give a bus that keeps its contract in the calling thread's event loop, as the memory bus does beside a gateway.

    Args:
        bus: Closing it stays its owner's matter.
        home: The event loop that it lives in, which outlives what is given.
    """
    return cast("Bus", _FarBus(bus, home))  # each method is the bus's own, so there is nothing to declare again


class _FarBus:
    def __init__(self, bus: Bus, home: asyncio.AbstractEventLoop) -> None:
        self._bus = bus
        self._home = home

    def __getattr__(self, name: str) -> Callable[..., Coroutine[Any, Any, Any]]:
        method: Callable[..., Coroutine[Any, Any, Any]] = getattr(self._bus, name)

        async def there(*arguments: object, **named: object) -> Any:  # noqa: ANN401 - what the method gives
            call = method(*arguments, **named)
            return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(call, self._home))

        return there

    async def aclose(self) -> None:
        """Do nothing: the bus is its owner's."""
