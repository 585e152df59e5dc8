"""`Executor`: runs functions beside its caller, a bounded number at a time.

    async with Executor("thread", concurrency=4) as executor:
        handle = await executor.submit(resize, picture)
        thumbnails = await executor.map(resize, pictures)

Nothing is queued: `submit` waits for a free slot, so what produces tasks goes no faster than what runs them. Nothing
outlives the context: leaving it waits for the tasks, leaving it by an exception cancels them first, and what comes
after the context goes on as if there had been none.
"""

import operator
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing
from functools import partial
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar, overload
from weakref import WeakSet

from anyio import Semaphore, create_task_group, get_cancelled_exc_class
from anyio.abc import TaskGroup

from headrace.errors import ExecutorClosedError, TaskCancelledError, TaskCrashedError
from headrace.executors.backend import Backend
from headrace.executors.backends import BackendName, make_backend
from headrace.executors.handle import ExitReason, TaskHandle
from headrace.executors.series import Items, Series
from headrace.graph.numbers import is_count
from headrace.kernel.cancellation import is_among, was_cancelled

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")


class Executor:
    """Runs functions in a place of their own; use it as an asynchronous context manager.

    Args:
        backend: "inline", the event loop itself; "thread"; "process", needs headrace[process]; "ray", needs
            headrace[ray]; or a `Backend`.
        concurrency: The most tasks at a time; by default what the cores and the memory of this process allow.

    A task that submits to its own executor and waits needs a slot beside its own: with all slots taken by such tasks,
    none goes on.
    """

    def __init__(self, backend: BackendName | Backend = "thread", *, concurrency: int | None = None) -> None:
        self._backend, default = make_backend(backend)
        self.concurrency = default if concurrency is None else concurrency
        if not is_count(self.concurrency):
            raise ValueError(f"concurrency={concurrency} must be a whole number of at least 1")
        self._is_entered = False
        self._tasks: TaskGroup | None = None
        self._slots: Semaphore | None = None
        self._series_open: WeakSet[Series[Any, Any]] = WeakSet()
        self._context = AsyncExitStack()

    async def __aenter__(self) -> Self:
        if self._is_entered:
            raise RuntimeError("this executor is open already; enter it once, or make another")
        self._is_entered = True
        async with AsyncExitStack() as stack:
            stack.callback(self._closed)
            await stack.enter_async_context(self._backend)
            stack.callback(self._left)  # before the backend ends, which may take its time
            self._slots = Semaphore(self.concurrency, fast_acquire=True)
            self._tasks = await stack.enter_async_context(create_task_group())
            self._context = stack.pop_all()
        return self

    async def __aexit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._tasks is not None and error is not None:
            self._tasks.cancel_scope.cancel()
        for series in self._series_open:  # one that was left in the middle would wait for its reader for ever
            if not series.is_awaited:
                series.end()
        # the error stays its caller's own: a task group that was given it would wrap it
        await self._context.__aexit__(None, None, None)

    @overload
    async def submit(
        self, function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> TaskHandle[T]: ...

    @overload
    async def submit(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> TaskHandle[T]: ...

    async def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> TaskHandle[Any]:
        """Start a call as soon as a slot is free, and come back then.

        Inline and in a thread the call sees the context variables as they are here; none go to another process.
        Cancelled while it waits, nothing is started.

        Raises:
            ExecutorClosedError: The executor's context is not open.
        """
        slots = self._slots
        if slots is None:
            raise ExecutorClosedError
        await slots.acquire()
        try:
            return self._started(partial(function, *args, **kwargs))
        except BaseException:
            slots.release()  # to the next who waits, and is to be told so too
            raise

    @overload
    async def map(self, function: Callable[[T], Awaitable[R]], items: Items[T]) -> list[R]: ...

    @overload
    async def map(self, function: Callable[[T], R], items: Items[T]) -> list[R]: ...

    async def map(self, function: Callable[[Any], Any], items: Items[Any]) -> list[Any]:
        """Call a function with each item; gives the results in the order of the items, when all are there.

        Items are taken as slots become free. The first failure is raised, and cancels the others.
        """
        async with aclosing(self._series(function, items)) as series:
            results = {place: result async for place, result in series}
        return [results[place] for place in range(len(results))]

    @overload
    def imap(self, function: Callable[[T], Awaitable[R]], items: Items[T]) -> AsyncGenerator[R]: ...

    @overload
    def imap(self, function: Callable[[T], R], items: Items[T]) -> AsyncGenerator[R]: ...

    async def imap(self, function: Callable[[Any], Any], items: Items[Any]) -> AsyncGenerator[Any]:
        """Call a function with each item; gives the results as they come, and takes items as its caller takes results.

        The first failure is raised, and cancels the others, as does closing the iterator early.
        """
        async with aclosing(self._series(function, items)) as series:
            async for _, result in series:
                yield result

    @overload
    async def gather(self, *calls: Callable[[], Awaitable[T]]) -> list[T]: ...

    @overload
    async def gather(self, *calls: Callable[[], T]) -> list[T]: ...

    async def gather(self, *calls: Callable[[], Any]) -> list[Any]:
        """Make calls that need no arguments; gives their results in order, as `map`."""
        return await self.map(operator.call, calls)

    def _series(self, function: Callable[[Any], Any], items: Items[Any]) -> AsyncGenerator[tuple[int, Any]]:
        if self._tasks is None:
            raise ExecutorClosedError
        series: Series[Any, Any] = Series(partial(self.submit, function), items, self.concurrency)
        self._series_open.add(series)
        return series.as_completed(self._tasks)

    def _started(self, call: Callable[[], Any]) -> TaskHandle[Any]:
        if self._tasks is None:
            raise ExecutorClosedError
        handle: TaskHandle[Any] = TaskHandle(is_stoppable=self._backend.is_stoppable(call))
        try:
            self._tasks.start_soon(self._run, call, handle)
        except RuntimeError as closed:  # it has just come to its end, and does not say so otherwise
            raise ExecutorClosedError from closed
        return handle

    def _closed(self) -> None:
        self._is_entered = False

    def _left(self) -> None:
        self._tasks = self._slots = None

    async def _run(self, call: Callable[[], Any], handle: TaskHandle[Any]) -> None:
        try:
            with handle.scope:
                if handle.begin():
                    handle.complete(await self._backend.run(call))
        except TaskCrashedError as crash:
            handle.fail(crash, ExitReason.CRASHED)
        except KeyboardInterrupt:  # it is the program's, not the task's
            raise
        except (get_cancelled_exc_class(), BaseExceptionGroup) as error:
            if was_cancelled() or is_among(error, KeyboardInterrupt):
                raise
            if not isinstance(error, get_cancelled_exc_class()):
                handle.fail(error)
        except BaseException as error:  # noqa: BLE001 - the top of a task: the error is its caller's, through the handle
            handle.fail(error)
        finally:
            if handle.exit_reason is None:  # its code was cancelled by another than its handle
                reason = "its executor closed, or what it waited for was cancelled"
                handle.fail(TaskCancelledError(reason), ExitReason.CANCELLED)
            if self._slots is not None:
                self._slots.release()
