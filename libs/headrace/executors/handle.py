"""The handle of a task: how it stands, its result, and its cancellation. For the event loop that submitted it.

Whatever races with whatever, the first terminal state stays: a result that comes after a cancellation is dropped, a
cancellation that comes after a result does nothing.
"""

from collections.abc import Callable, Generator
from enum import StrEnum
from types import TracebackType
from typing import Any, Generic, TypeVar, cast

from anyio import CancelScope, Event

from headrace.errors import TaskCancelledError, TaskPendingError

T = TypeVar("T")


class ExitReason(StrEnum):
    """How a task ended: it returned, raised, was cancelled, or the process that ran it died."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    CRASHED = "crashed"


class Cancelled(StrEnum):
    """What a cancellation did.

    Members:
        STOPPED: The task will not begin, or is being stopped at its next await, or with its process.
        ABANDONED: Its code runs in a thread, which nothing can stop. Whoever waits goes on at once, its result is
            dropped, and its slot is kept until it ends. It can look by itself: `anyio.from_thread.check_cancelled`.
        TOO_LATE: It had ended, and stays as it is.
    """

    STOPPED = "stopped"
    ABANDONED = "abandoned"
    TOO_LATE = "too_late"


class TaskHandle(Generic[T]):
    """A task of an executor; await it for its result.

    Args:
        is_stoppable: Whether code of the task that is under way can be stopped.

    Attributes:
        exit_reason: How it ended; None while it has not.
        scope: What the task runs in; whoever runs the task opens it.
    """

    __slots__ = (
        "_ended",
        "_error",
        "_has_begun",
        "_is_stoppable",
        "_listener",
        "_trace",
        "_value",
        "exit_reason",
        "scope",
    )

    def __init__(self, *, is_stoppable: bool) -> None:
        self.exit_reason: ExitReason | None = None
        self.scope = CancelScope()
        self._is_stoppable = is_stoppable
        self._has_begun = False
        self._value: T | None = None
        self._error: BaseException | None = None
        self._trace: TracebackType | None = None
        self._ended: Event | None = None
        self._listener: Callable[[TaskHandle[T]], None] | None = None

    def __await__(self) -> Generator[Any, Any, T]:
        """Wait for its end and give its result, as `result`; a cancelled wait leaves the task alone."""
        if self.exit_reason is None:
            yield from self.wait().__await__()
        return self.result()

    async def wait(self) -> None:
        """Wait for its end, whichever that is."""
        if self.exit_reason is None:
            if self._ended is None:
                self._ended = Event()
            await self._ended.wait()

    def result(self) -> T:
        """Give what it returned, or raise what it raised.

        Raises:
            TaskPendingError: It has not ended.
            TaskCancelledError: It was cancelled.
            TaskCrashedError: The process that ran it died.
        """
        if self.exit_reason is None:
            raise TaskPendingError
        if self._error is not None:
            raise self._error.with_traceback(self._trace)  # else each raise adds to the one before
        return cast("T", self._value)

    def cancel(self, reason: str = "its caller cancelled it") -> Cancelled:
        """Cancel it; whoever waits for it is told at once.

        Args:
            reason: Stands in the `TaskCancelledError`.
        """
        if self.exit_reason is not None:
            return Cancelled.TOO_LATE
        self.fail(TaskCancelledError(reason), ExitReason.CANCELLED)
        self.scope.cancel()
        return Cancelled.ABANDONED if self._has_begun and not self._is_stoppable else Cancelled.STOPPED

    def begin(self) -> bool:
        """Tell that its code begins now; False where it must not. For whoever runs it, as the methods below."""
        self._has_begun = self.exit_reason is None
        return self._has_begun

    def complete(self, value: T) -> None:
        """End it with a value, unless it has ended."""
        if self.exit_reason is None:
            self._value = value
            self._end(ExitReason.COMPLETED)

    def fail(self, error: BaseException, reason: ExitReason = ExitReason.FAILED) -> None:
        """End it with an error, unless it has ended."""
        if self.exit_reason is None:
            self._error = error
            self._trace = error.__traceback__
            self._end(reason)

    def when_ended(self, listener: Callable[["TaskHandle[T]"], None]) -> None:
        """Have one listener called at its end; at once where it has ended."""
        if self.exit_reason is not None:
            listener(self)
        else:
            self._listener = listener

    def _end(self, reason: ExitReason) -> None:
        self.exit_reason = reason
        if self._ended is not None:
            self._ended.set()
        if self._listener is not None:
            listener, self._listener = self._listener, None
            listener(self)
