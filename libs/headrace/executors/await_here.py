"""The event loop of a process that runs tasks for another; it lives as long as the process."""

import asyncio
import atexit
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

_loop = asyncio.Runner()
atexit.register(_loop.close)  # what is registered later, to close what tasks have opened, runs before it and needs it


def await_here(made: Awaitable[Any]) -> Any:  # noqa: ANN401 - whatever a user's function returns
    """Await something."""

    async def finish() -> Any:  # noqa: ANN401 - as above
        return await made

    return _loop.run(finish())


def make(call: Callable[[], Any]) -> Any:  # noqa: ANN401 - as above
    """Make a call, and await what it gives where that is awaitable."""
    made = call()
    return await_here(made) if inspect.isawaitable(made) else made
