"""Races about a task's end: the first terminal state wins, whatever comes after it."""

import threading
import time
from collections.abc import Callable
from typing import Any

import anyio
from hypothesis import given
from hypothesis import strategies as st

from headrace.errors import TaskCancelledError, TaskError
from headrace.executors.executor import Executor
from headrace.executors.handle import Cancelled, ExitReason, TaskHandle

ENDS: dict[str, tuple[Callable[[TaskHandle[int]], Any], ExitReason]] = {
    "complete": (lambda handle: handle.complete(1), ExitReason.COMPLETED),
    "fail": (lambda handle: handle.fail(LookupError()), ExitReason.FAILED),
    "crash": (lambda handle: handle.fail(LookupError(), ExitReason.CRASHED), ExitReason.CRASHED),
    "cancel": (lambda handle: handle.cancel(), ExitReason.CANCELLED),
}

STORIES = {
    ExitReason.COMPLETED: "value",
    ExitReason.FAILED: repr(LookupError()),
    ExitReason.CANCELLED: repr(TaskCancelledError("race")),
}


def outcome(handle: TaskHandle[Any]) -> tuple[ExitReason | None, str]:
    try:
        return handle.exit_reason, str(handle.result())
    except (LookupError, TaskError) as error:
        return handle.exit_reason, repr(error)


@given(st.lists(st.sampled_from(sorted(ENDS)), min_size=1), st.booleans())
def test_the_first_terminal_state_wins_in_every_order_of_ends(ends: list[str], has_begun: bool) -> None:
    async def race() -> None:
        handle: TaskHandle[int] = TaskHandle(is_stoppable=False)
        heard: list[TaskHandle[int]] = []
        handle.when_ended(heard.append)
        if has_begun:
            assert handle.begin()
        ENDS[ends[0]][0](handle)
        first = outcome(handle)
        for end in ends[1:]:
            ENDS[end][0](handle)
        assert outcome(handle) == first
        assert first[0] is ENDS[ends[0]][1]
        assert heard == [handle]
        assert handle.cancel() is Cancelled.TOO_LATE
        assert not handle.begin()

    anyio.run(race)


@given(
    backend=st.sampled_from(["asyncio", "trio"]),
    awaits=st.integers(0, 4),
    cancel_after=st.integers(0, 6),
    raises=st.booleans(),
    swallows=st.booleans(),
)
def test_a_cancellation_at_any_moment_and_the_tasks_end_agree(
    backend: str, awaits: int, cancel_after: int, raises: bool, swallows: bool
) -> None:
    """What cancel answered, the exit reason and the result tell one story."""

    async def task() -> str:
        try:
            for _ in range(awaits):
                await anyio.lowlevel.checkpoint()
        except anyio.get_cancelled_exc_class():
            if not swallows:
                raise
        if raises:
            raise LookupError
        return "value"

    async def race() -> None:
        async with Executor("inline") as executor:
            handle = await executor.submit(task)
            for _ in range(cancel_after):
                await anyio.lowlevel.checkpoint()
            answer = handle.cancel("race")
            await handle.wait()
        natural = ExitReason.FAILED if raises else ExitReason.COMPLETED
        reason = natural if answer is Cancelled.TOO_LATE else ExitReason.CANCELLED
        assert outcome(handle) == (reason, STORIES[reason])

    anyio.run(race, backend=backend)


class Crowd:
    """Counts who is in a function at a time."""

    def __init__(self) -> None:
        self.calls = self.inside = self.most = 0
        self._lock = threading.Lock()

    def visit(self, turns: int, *, raises: bool) -> str:
        with self._lock:
            self.calls += 1
            self.inside += 1
            self.most = max(self.most, self.inside)
        for _ in range(turns):
            time.sleep(0)  # others have their turn
        with self._lock:
            self.inside -= 1
        if raises:
            raise LookupError
        return "value"


@given(
    backend=st.sampled_from(["asyncio", "trio"]),
    tasks=st.lists(st.tuples(st.integers(0, 200), st.booleans(), st.none() | st.integers(0, 20)), max_size=8),
    concurrency=st.integers(1, 3),
)
def test_threads_that_are_cancelled_at_any_moment_are_bounded_and_tell_one_story(
    backend: str, tasks: list[tuple[int, bool, int | None]], concurrency: int
) -> None:
    crowd = Crowd()

    async def cancel_after(handle: TaskHandle[str], turns: int, answers: dict[TaskHandle[str], Cancelled]) -> None:
        for _ in range(turns):
            await anyio.lowlevel.checkpoint()
        answers[handle] = handle.cancel("race")

    async def race() -> None:
        handles: list[tuple[TaskHandle[str], bool]] = []
        answers: dict[TaskHandle[str], Cancelled] = {}
        async with Executor("thread", concurrency=concurrency) as executor, anyio.create_task_group() as cancels:
            for turns, raises, after in tasks:
                handle = await executor.submit(crowd.visit, turns, raises=raises)
                handles.append((handle, raises))
                if after is not None:
                    cancels.start_soon(cancel_after, handle, after, answers)
        for handle, raises in handles:
            natural = ExitReason.FAILED if raises else ExitReason.COMPLETED
            is_late = answers.get(handle, Cancelled.TOO_LATE) is Cancelled.TOO_LATE
            reason = natural if is_late else ExitReason.CANCELLED
            assert outcome(handle) == (reason, STORIES[reason])
        assert crowd.inside == 0
        assert crowd.most <= concurrency

    anyio.run(race, backend=backend)
