"""The tasks that work on one run.

A worker takes one piece of work after the other. Before it begins one while more are ready it sees that another worker
stands by, who goes on where the first is held up. So calls that never wait need one task for all of them, and calls
that do have one each, up to a bound; what is over the bound waits in the queue.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeVar

import anyio

from headrace.kernel.cancellation import asyncio_task, cancellations
from headrace.kernel.engine.group import Group, StoppedError, new_group
from headrace.kernel.engine.outlet import CAPACITY, Outlet
from headrace.kernel.loop import turn

_TURN = 64  # pieces that are worked on before others, and cancellations, have their turn: a checkpoint costs one piece
Piece = TypeVar("Piece")


class Crew(Generic[Piece]):
    """Works off pieces.

    Args:
        most: Workers at a time.
        outlet: Is waited for before a piece is begun where it is full.
        is_steered: Whether somebody outside may bring more to do, or cancels by other means than `cut`.

    Attributes:
        ready: What is to be worked on, in order.
        is_over: Nothing further is begun.
        longest_queue: The most that was ready.
        hired: Workers so far.
    """

    _take: Callable[[Piece], Awaitable[Piece | None]]

    def __init__(self, *, most: int, outlet: Outlet | None, is_steered: bool) -> None:
        self._most = most
        self._outlet = outlet
        self._is_steered = is_steered
        self._alone: asyncio.Task[Any] | None = None
        self.ready: deque[Piece] = deque()
        self.is_over = False
        self.longest_queue = 0
        self.hired = 1
        self._workers = 1
        self._cancelled_before = 0
        self._has_standby = False
        self._turn = _TURN
        self._tasks: Group | None = None
        self._all_done: anyio.Event | None = None
        self._beside: set[object] = set()
        self._chores: list[Callable[[], Coroutine[Any, Any, None]]] = []

    def is_callers(self) -> bool:
        """Whether this is a task that others may cancel; with an outlet, the run has a task of its own."""
        return self._outlet is None and asyncio_task() not in self._beside

    def was_cancelled(self) -> bool:
        """Whether this is such a task, and was cancelled since the crew began."""
        return self.is_callers() and cancellations() > self._cancelled_before

    @property
    def is_ending(self) -> bool:
        """Whether its tasks are cancelled, or about to be."""
        return self.is_over or self.is_left

    @property
    def is_left(self) -> bool:
        """Whether the task that began it is gone, and the others are cancelled."""
        return self._tasks is not None and self._tasks.is_ending

    async def work(self, begin: Callable[[], None], take: Callable[[Piece], Awaitable[Piece | None]]) -> None:
        """Work until `stop`, with as many tasks as that needs; they have ended when this returns.

        Args:
            begin: Puts in what is ready first.
            take: Works on one; gives one to go on with at once, or None. What it finds is put into `ready`.
        """
        self._take = take
        if self._outlet is None:
            self._cancelled_before = cancellations()
        try:
            begin()
            if not self._chores and not self._is_steered:
                await self._work_off_alone()
            if not self.is_over:
                await self._work_together()
        finally:  # else whoever works with this would be held by it, and a run be freed by the garbage collector alone
            self._tasks = None
            self._chores.clear()
            del self._take

    async def _work_together(self) -> None:
        async with new_group() as tasks:
            self._tasks = tasks
            for chore in self._chores:
                tasks.start(chore)
            try:
                await self._work_off()
                if not self.is_over:
                    self._workers -= 1  # it only waits from here on
                    self._all_done = anyio.Event()
                    await self._all_done.wait()
            except BaseException:
                self.is_over = True  # the others are cancelled, and a node may swallow that
                raise
            if self.hired > 1:
                raise StoppedError

    def beside(self, chore: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Have something run beside the workers until these have ended."""
        self.hired += 1
        if self._tasks is None:
            self._chores.append(chore)
        else:
            self._tasks.start(chore)

    def call_up(self) -> None:
        """See that somebody works on what was put into `ready` from outside of `take`."""
        if self.ready and not self._has_standby and self._workers < self._most and self._tasks is not None:
            self._has_standby = True
            self._tasks.later(self._hire)  # where no call waits, none is ever hired

    def cut(self) -> None:
        """Begin nothing further, and cancel what is under way."""
        if self._tasks is not None and not self.is_ending:
            self._tasks.cut()
        elif self._alone is not None and not self.is_over:
            self._alone.cancel()
        self.stop()

    def stop(self) -> None:
        """Begin nothing further; who called this in a task of the crew raises `StoppedError` next."""
        self.is_over = True
        if self._all_done is not None:
            self._all_done.set()

    def _hire(self) -> None:
        if self._tasks is not None and not self.is_over:
            self._workers += 1
            self.hired += 1
            self._tasks.start(self._work_beside)

    async def _work_beside(self) -> None:
        self._has_standby = False
        own = asyncio_task()
        self._beside.add(own)
        try:
            await self._work_off()
        except BaseException:
            self.is_over = True  # the group is ending, and takes no more tasks
            raise
        finally:
            self._beside.discard(own)
            del own  # its exception has this frame
            self._workers -= 1
        if self.is_over and not self.is_left:  # else it would be taken for why the group ends
            raise StoppedError

    async def _work_off_alone(self) -> None:
        """Work without a task group, which costs some calls, as long as there is one piece at a time."""
        self._alone = asyncio_task() if self._outlet is not None else None
        try:
            if self._outlet is None or self._alone is not None:  # else `cut` would have nothing to cancel
                await self._work_off()
        finally:
            self._alone = None

    async def _work_off(self) -> None:
        """Work until nothing is ready; without a task group also no longer than that takes one worker."""
        ready, outlet, take = self.ready, self._outlet, self._take
        piece: Piece | None = None
        while not self.is_over:
            if piece is None:
                if not ready:
                    return
                if len(ready) > self.longest_queue:  # noqa: PLR1730 - a fifth of what `max` costs
                    self.longest_queue = len(ready)
                piece = ready.popleft()
            if self._tasks is None:
                if ready or self._chores:
                    ready.appendleft(piece)
                    return
            elif ready and not self._has_standby:
                self.call_up()
            self._turn -= 1
            if not self._turn:
                self._turn = _TURN
                await turn()
                continue
            if outlet is not None and len(outlet.events) >= CAPACITY:
                await outlet.room()
                continue
            piece = await take(piece)
