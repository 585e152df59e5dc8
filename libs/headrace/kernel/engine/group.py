"""The task group of a run's workers: asyncio's own where that runs, anyio's elsewhere, which costs more.

It is left by `StoppedError`: whoever of the group raises that ends the group, and what is awaited in it is cancelled.
"""

import asyncio
import math
import sys
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, suppress
from types import TracebackType
from typing import Any, Protocol, Self

import anyio

from headrace.kernel.cancellation import cancellations

Work = Callable[[], Coroutine[Any, Any, None]]


class StoppedError(Exception):
    """The work of a group is done, or not wanted any more."""


class Group(AbstractAsyncContextManager["Group", bool], Protocol):
    """Tasks that end together."""

    is_ending: bool

    def start(self, work: Work) -> None:
        """Start a task."""
        ...

    def later(self, call: Callable[[], None]) -> None:
        """Call something when the event loop has its turn, or at once; never after the group is left."""
        ...

    def cut(self) -> None:
        """Cancel what is awaited in it, from outside."""
        ...


def new_group() -> Group:
    """Make a group for the event loop that runs."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _AnyioGroup()
    return _AsyncioGroup()


class _AsyncioGroup:
    def __init__(self) -> None:
        self._group = asyncio.TaskGroup()
        self._later: asyncio.Handle | None = None
        self._cancelled_before = 0
        self.is_ending = False

    def start(self, work: Work) -> None:
        self._group.create_task(work())

    def later(self, call: Callable[[], None]) -> None:
        self._later = asyncio.get_running_loop().call_soon(call)

    def cut(self) -> None:
        self._group.create_task(_stopped())

    async def __aenter__(self) -> Self:
        self._cancelled_before = cancellations()
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self.is_ending = error is not None
        if self._later is not None:
            self._later.cancel()
        try:
            await self._group.__aexit__(kind, error, trace)
        except BaseExceptionGroup as group:
            others = group.split(StoppedError)[1]
            if others is not None:
                raise others from None
            group.__traceback__ = None  # a frame of asyncio's own in it holds it: a run would be freed by gc alone
            if sys.version_info >= (3, 13):
                await self._calm()
            return True
        finally:
            del error, trace  # as above: a cancellation has this frame
        return False

    async def _calm(self) -> None:
        """Take the cancellation that a group which ends by errors gives its task anew, where that was cancelled before.

        One of asyncio's own that came meanwhile goes on; a scope of anyio's that is cancelled says so again.
        """
        now = cancellations()
        is_scopes = anyio.current_effective_deadline() == -math.inf
        if now and (is_scopes or now == self._cancelled_before):
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0)


class _AnyioGroup:
    def __init__(self) -> None:
        self._group = anyio.create_task_group()
        self.is_ending = False

    def start(self, work: Work) -> None:
        async def guarded() -> None:
            try:
                await work()
            except StoppedError:
                self._group.cancel_scope.cancel()

        self._group.start_soon(guarded)

    def later(self, call: Callable[[], None]) -> None:
        call()

    def cut(self) -> None:
        self._group.cancel_scope.cancel()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self.is_ending = error is not None
        if isinstance(error, StoppedError):
            self._group.cancel_scope.cancel()
            await self._group.__aexit__(None, None, None)
            return True
        return bool(await self._group.__aexit__(kind, error, trace))


async def _stopped() -> None:
    raise StoppedError
