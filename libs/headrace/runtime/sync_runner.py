"""The blocking runner: consumes groups in the calling thread, in an event loop of its own, until it is stopped."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from headrace.bus.protocol import Bus
from headrace.graph.plan import ExecutionPlan
from headrace.kernel.events import Observer
from headrace.runtime.compose import consuming
from headrace.runtime.consumer import ConsumerOptions
from headrace.wire.envelope import Framing


class SyncRunner:
    """The blocking form of a worker, for a thread without an event loop.

    It is a whole worker: the pipe's start-up and shutdown hooks, its container and the groups' consumers live in the
    thread that calls `run`. So a node that blocks holds up the other nodes of this runner, and nothing else in the
    process.

    Args:
        bus: Used in this runner's own event loop; one that lives in another loop is reached through `far_bus`.
        framing: Opens and seals frames.
        groups: Those to consume.
        observers: Told of kernel events, after the pipe's own.
    """

    def __init__(
        self,
        plan: ExecutionPlan,
        bus: Bus,
        framing: Framing,
        groups: tuple[str, ...],
        *,
        options: ConsumerOptions | None = None,
        observers: tuple[Observer, ...] = (),
    ) -> None:
        self._consuming = partial(consuming, plan, bus, framing, groups, options=options, observers=observers)
        self._lock = threading.Lock()
        self._is_stopped = False
        self._wake: Callable[[], object] | None = None

    def run(self, started: Callable[[], object] = lambda: None) -> None:
        """Consume, and block until `stop`; what is under way is finished first, within the drain budget.

        Args:
            started: Called in this thread when the start-up hooks have run.
        """
        asyncio.run(self._run(started))

    def stop(self) -> None:
        """Ask `run` to return, from any thread; idempotent, legal before start."""
        with self._lock:
            self._is_stopped = True
            if self._wake is not None:
                with suppress(RuntimeError):  # its loop is closed: it has returned
                    self._wake()

    async def _run(self, started: Callable[[], object]) -> None:
        loop, stopping = asyncio.get_running_loop(), asyncio.Event()
        with self._lock:
            if self._is_stopped:
                return
            self._wake = partial(loop.call_soon_threadsafe, stopping.set)
        async with self._consuming():
            started()
            await stopping.wait()
