"""A function over a series of items: results as they come, no more of them under way or waiting than slots."""

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable
from functools import partial
from typing import Any, Generic, TypeVar

from anyio import CancelScope, Event, Semaphore
from anyio.abc import TaskGroup

from headrace.errors import ExecutorClosedError
from headrace.executors.handle import TaskHandle

T = TypeVar("T")
R = TypeVar("R")
Submit = Callable[[T], Awaitable[TaskHandle[R]]]
Items = Iterable[T] | AsyncIterable[T]


class Series(Generic[T, R]):
    """One function over one series of items.

    Args:
        submit: Starts the task of an item, waiting for a slot.
        window: The most items that are taken and whose results have not been.

    Attributes:
        is_awaited: Whether somebody waits for its next result now.
    """

    def __init__(self, submit: Submit[T, R], items: Items[T], window: int) -> None:
        self._submit = submit
        self._items = items
        self._room = Semaphore(window, fast_acquire=True)
        self._feeding = CancelScope()
        self._under_way: dict[int, TaskHandle[R]] = {}
        self._ended: deque[tuple[int, TaskHandle[R]]] = deque()
        self._is_fed = False
        self._error: Exception | None = None
        self._news = Event()
        self.is_awaited = False

    async def as_completed(self, tasks: TaskGroup) -> AsyncGenerator[tuple[int, R]]:
        """Give each result with the place of its item; the first failure is raised, and ends what is under way."""
        tasks.start_soon(self._feed)
        try:
            while True:
                while self._ended:
                    place, handle = self._ended.popleft()
                    self._room.release()
                    yield place, handle.result()
                if self._is_fed and not self._under_way:
                    break
                self.is_awaited = True
                await self._news.wait()
                self.is_awaited = False
                self._news = Event()
            if self._error is not None:
                raise self._error
        finally:
            self.end()

    def end(self) -> None:
        """Take no more items, and cancel what is under way; idempotent."""
        self._feeding.cancel()
        for handle in tuple(self._under_way.values()):
            handle.cancel("the series that it belongs to has ended")

    async def _feed(self) -> None:
        self._error = ExecutorClosedError()  # who iterates must not take a series that was cut for a whole one
        try:
            with self._feeding:
                try:
                    if isinstance(self._items, AsyncIterable):
                        await self._feed_from_async(self._items)
                    else:
                        for place, item in enumerate(self._items):
                            await self._start(place, item)
                    self._error = None
                except Exception as error:  # noqa: BLE001 - what the items raise is raised to who iterates
                    self._error = error
        finally:
            self._is_fed = True
            self._news.set()

    async def _feed_from_async(self, items: AsyncIterable[T]) -> None:
        place = 0
        async for item in items:
            await self._start(place, item)
            place += 1

    async def _start(self, place: int, item: T) -> None:
        await self._room.acquire()
        handle = await self._submit(item)
        self._under_way[place] = handle
        handle.when_ended(partial(self._end, place))

    def _end(self, place: int, handle: TaskHandle[Any]) -> None:
        del self._under_way[place]
        self._ended.append((place, handle))
        self._news.set()
