"""The blocking form of the runner, for a thread of its own."""

import asyncio
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Self

from headrace.graph.plan import ExecutionPlan
from headrace.kernel.clock import Clock
from headrace.kernel.events import Observer
from headrace.kernel.inject import Injector
from headrace.kernel.lifecycle import lifecycle
from headrace.kernel.runner import AsyncRunner
from headrace.kernel.store import RunStore
from headrace.ledger.values import Commit, Delivery
from headrace.wire.envelope import Framing


class SyncRunner:
    """The blocking form of `AsyncRunner`, for a thread without an event loop; use it as a context manager there.

    Entering calls the pipe's start-up hooks, leaving its shutdown hooks, whatever happened.

    Args:
        framing: Opens and seals frames.
        store: As `AsyncRunner`'s; it is awaited in this runner's own event loop.
        observers: Told of kernel events, after the pipe's own.
        clock: Deadlines go by it.
    """

    def __init__(
        self,
        plan: ExecutionPlan,
        group: str,
        *,
        framing: Framing,
        store: RunStore,
        observers: tuple[Observer, ...] = (),
        clock: Clock | None = None,
    ) -> None:
        self._plan = plan
        self._group = group
        self._framing = framing
        self._store = store
        self._observers = observers
        self._clock = clock
        self._loop = asyncio.Runner()
        self._life = lifecycle(plan)
        self._runner: AsyncRunner | None = None

    def __enter__(self) -> Self:
        try:
            injector = self._loop.run(self._life.__aenter__())
        except BaseException:
            self._loop.close()
            raise
        self._runner = AsyncRunner(
            self._plan,
            self._group,
            injector=injector,
            framing=self._framing,
            store=self._store,
            observers=self._observers,
            clock=self._clock,
        )
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._loop.run(_leave(self._life, error_type, error, trace))
        finally:
            self._loop.close()

    def run(self, delivery: Delivery) -> Commit:
        """Run a delivery and block until it is done; as `AsyncRunner.run`.

        Raises:
            RuntimeError: The context is not open.
        """
        if self._runner is None:
            raise RuntimeError("SyncRunner.run needs the context of its runner: with SyncRunner(...) as runner")
        return self._loop.run(self._runner.run(delivery))


async def _leave(
    life: AbstractAsyncContextManager[Injector],
    error_type: type[BaseException] | None,
    error: BaseException | None,
    trace: TracebackType | None,
) -> None:
    await life.__aexit__(error_type, error, trace)
