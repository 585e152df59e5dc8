"""A run's events as an asynchronous iterator, and what can be done to the run meanwhile."""

from collections.abc import AsyncGenerator
from types import AsyncGeneratorType
from typing import Any, Self, cast

import anyio

from headrace.kernel.engine import background
from headrace.kernel.engine.outlet import Outlet
from headrace.kernel.engine.run import Run
from headrace.kernel.events import KernelEvent
from headrace.kernel.loop import turn


class RunEvents:
    """The events of one run, which begins when the first is asked for.

    `RunFinished` is the last one, whatever happens. Closing the iterator early, also by leaving an `async for`, cancels
    the run; its shutdown hooks are called. `async with` closes it at a known place.
    """

    def __init__(self, run: Run, outlet: Outlet) -> None:
        self._run = run
        self._events = cast("AsyncGeneratorType[KernelEvent, None]", _events(run, outlet))

    @property
    def run_id(self) -> str:
        """The run."""
        return self._run.trace_id

    def __aiter__(self) -> AsyncGenerator[KernelEvent, None]:
        return self._events

    async def __anext__(self) -> KernelEvent:
        return await anext(self._events)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def cancel(self) -> bool:
        """Start no further node, and cancel what is under way; its last events still come.

        Returns:
            Whether there was anything to cancel.
        """
        return self._run.cancel()

    def signal(self, name: str, message: object) -> bool:
        """Send a signal to the run, for the thread of its event loop; False where it has ended, or had it.

        Raises:
            UnknownSignalError: No node takes a signal of this name.
            InvalidMessageError: The message is of another type.
        """
        return self._run.signal(name, message)

    def result(self) -> Any:  # noqa: ANN401 - a user's message
        """Give the run's result, None for an empty one, when its last event has come.

        Raises:
            RunFailedError, RunCancelledError, RunExpiredError: It ended otherwise.
        """
        return self._run.result()

    async def aclose(self) -> None:
        """Cancel the run unless it is over, and wait until it is; idempotent.

        While another task waits for an event, the run is cancelled, and that task gets its last events.
        """
        if self._events.ag_running:
            self._run.cancel()
        else:
            await self._events.aclose()


async def _events(run: Run, outlet: Outlet) -> AsyncGenerator[KernelEvent, None]:
    events = outlet.events
    task = background.start(run.execute)
    try:
        if not events:  # else it has begun already
            await turn()  # after it a run that never waits is over
        while True:
            while events:
                yield events.popleft()
            if outlet.is_closed:
                return
            await outlet.news()
    finally:
        if not outlet.is_closed:
            run.cancel()
            with anyio.CancelScope(shield=True):
                await outlet.closed()
        del task  # kept until here
