"""Tasks on the event loop itself: for coroutines, and for functions that are over at once."""

import inspect
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from headrace.executors.backend import is_async


class Inline:
    """Runs tasks on the event loop. A synchronous function blocks it as long as it runs."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def is_stoppable(self, call: Callable[[], Any]) -> bool:
        return is_async(call)

    async def run(self, call: Callable[[], Any]) -> Any:  # noqa: ANN401 - as `Backend` says
        made = call()
        return await made if inspect.isawaitable(made) else made
