"""What an executor needs of the place where its tasks run."""

import inspect
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

T = TypeVar("T")
Run = Callable[[Callable[[], Any]], Awaitable[Any]]


class Backend(Protocol):
    """A place where tasks run. The executor bounds how many; each is called in a task of its own."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def is_stoppable(self, call: Callable[[], Any]) -> bool:
        """Whether a call that is under way can be stopped."""
        ...

    async def run(self, call: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever a user's function returns
        """Make a call, and await what it gives where that is awaitable.

        Cancelled, it stops the call where it can, and comes back only when nothing of the call is under way any more.

        Raises:
            TaskCrashedError: The process that ran it died.
        """
        ...


class Places(Backend, Protocol):
    """A backend in other processes."""

    def pickled(self, value: object) -> bytes:
        """Make the bytes that a value goes there as.

        Raises:
            TaskUnpicklableError: It has none.
        """
        ...

    def place(self) -> AbstractAsyncContextManager[Run]:
        """Wait until there is a process that can begin, and have it for one call.

        The call is stopped where it is under way when the context closes.
        """
        ...


def is_async(call: Callable[[], Any]) -> bool:
    """Whether calling this only makes a coroutine."""
    function: Any = call
    while isinstance(function, partial):
        function = function.func  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # of any type
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004 - an object with an async __call__
