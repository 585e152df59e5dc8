"""The in-process engine: runs of one plan, each in one event loop, with nothing encoded and no bus."""

from functools import partial
from typing import Any

import anyio

from headrace.errors import RunError, RunSuspendedError
from headrace.graph.plan import ExecutionPlan
from headrace.kernel.clock import Clock, SystemClock
from headrace.kernel.engine.options import RunOptions
from headrace.kernel.engine.outlet import Outlet
from headrace.kernel.engine.parts import Parts
from headrace.kernel.engine.run import Run
from headrace.kernel.engine.stream import RunEvents


class Engine:
    """Runs a plan in this process, whatever its placement. Every run is alone: hooks, container, keys and their state.

    Args:
        clock: Events are dated by it, and deadlines told; time itself passes as the event loop says.
    """

    def __init__(self, plan: ExecutionPlan, *, clock: Clock | None = None) -> None:
        self._parts = Parts(plan)
        self._clock = clock or SystemClock()

    async def run(self, message: object, options: RunOptions) -> Any:  # noqa: ANN401 - a user's message
        """Run a message, in the task of the caller; gives the result, None for an empty one.

        Raises:
            RunFailedError, RunExpiredError: The run ended otherwise; a node's exception is the cause.
            RunSuspendedError: All that is left of it waits for signals.
            InvalidMessageError: The message is of another type than the plan takes.
        """
        run = Run(self._parts, message, options, clock=self._clock)
        await run.execute()
        if run.waiting_for:
            raise RunSuspendedError(run.trace_id, run.waiting_for)
        try:
            return run.result()
        except RunError as error:
            raise error from run.cause

    def run_sync(self, message: object, options: RunOptions) -> Any:  # noqa: ANN401 - a user's message
        """Run a message in an event loop of its own, blocking; raises as `run`, and `RuntimeError` within a loop."""
        return anyio.run(partial(self.run, message, options))

    def events(self, message: object, options: RunOptions) -> RunEvents:
        """Run a message and iterate over what happens; raises `InvalidMessageError` as `run`."""
        outlet = Outlet()
        return RunEvents(Run(self._parts, message, options, clock=self._clock, outlet=outlet), outlet)
