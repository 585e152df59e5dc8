"""What is asked of an event loop most often: turns of others, and events. asyncio's own, where it runs, costs less."""

import asyncio
from collections.abc import Callable

import anyio
from anyio.lowlevel import checkpoint


async def turn() -> None:
    """Let others have their turn, as `anyio.lowlevel.checkpoint`, and be cancelled where that was asked for."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        await checkpoint()
    else:
        await asyncio.sleep(0)


def loop_time() -> Callable[[], float]:
    """Give the clock of the event loop that runs, in seconds, by which cancel scopes have their deadlines."""
    try:
        return asyncio.get_running_loop().time
    except RuntimeError:
        return anyio.current_time


def new_event() -> anyio.Event | asyncio.Event:
    """Make an event for the event loop that runs."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return anyio.Event()
    return asyncio.Event()


def new_bell() -> "anyio.Event | Bell":
    """Make an event that one task waits for, for the event loop that runs."""
    try:
        return Bell(asyncio.get_running_loop().create_future())
    except RuntimeError:
        return anyio.Event()


class Bell:
    """An event that one task waits for, on asyncio: a future, which costs less than asyncio's event does."""

    def __init__(self, rung: asyncio.Future[None]) -> None:
        self._rung = rung

    def set(self) -> None:
        """Wake who waits; once."""
        if not self._rung.done():  # who waited may have been cancelled
            self._rung.set_result(None)

    async def wait(self) -> None:
        """Wait until it is set."""
        await self._rung
