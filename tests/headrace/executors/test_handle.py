"""Races about a task's end: the first terminal state wins, whatever comes after it."""

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
