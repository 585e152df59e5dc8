"""Tasks in threads: synchronous functions, which so never block the event loop. Coroutines stay on the loop.

A thread cannot be stopped. A cancelled task's caller goes on at once, but its slot is free only when its thread is, so
that no more threads run than the executor allows.
"""

import inspect
import math
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from anyio import CapacityLimiter, to_thread

from headrace.executors.backend import is_async


class Threads:
    """Runs synchronous functions in threads, coroutine functions on the event loop."""

    def __init__(self) -> None:
        self._limiter: CapacityLimiter | None = None

    async def __aenter__(self) -> Self:
        self._limiter = CapacityLimiter(math.inf)  # the executor bounds; the loop's own limiter is everybody's
        return self

    async def __aexit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def is_stoppable(self, call: Callable[[], Any]) -> bool:
        return is_async(call)

    async def run(self, call: Callable[[], Any]) -> Any:  # noqa: ANN401 - as `Backend` says
        if is_async(call):
            return await call()
        made = await to_thread.run_sync(call, limiter=self._limiter)
        return await made if inspect.isawaitable(made) else made
