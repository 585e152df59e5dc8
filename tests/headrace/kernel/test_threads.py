"""A synchronous node's thread keeps its turn until it ends, whoever still waits for it."""

import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future

import anyio
import pytest
from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import checkpoint

from headrace.kernel.threads import Turn, in_thread, in_turn

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])


class Door:
    """A synchronous function that waits until it is opened, and counts who is in it."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.came = 0
        self.inside = 0
        self.most = 0
        self._lock = threading.Lock()

    def __call__(self) -> str:
        with self._lock:
            self.came += 1
            self.inside += 1
            self.most = max(self.most, self.inside)
        self.opened.wait()
        with self._lock:
            self.inside -= 1
        return "through"


async def through(door: Door, limiter: CapacityLimiter | None) -> str:
    """Go through a door in turn."""
    return await in_turn(lambda _: in_thread(door), limiter, None)


async def in_and_left(door: Door) -> None:
    """Go to a door, and leave one's thread behind when that is in it."""
    before = door.came
    async with anyio.create_task_group() as tasks:

        async def leave() -> None:
            while door.came == before:
                await checkpoint()
            tasks.cancel_scope.cancel()

        tasks.start_soon(leave)
        await in_thread(door)


def on(backend: str, work: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        with anyio.fail_after(30):
            await work()

    anyio.run(bounded, backend=backend)


@BACKENDS
def test_a_thread_whose_time_is_up_keeps_its_turn(backend: str) -> None:
    door = Door()

    async def work() -> None:
        limiter = CapacityLimiter(2)
        for _ in range(2):
            await in_turn(in_and_left, limiter, door)
        assert limiter.available_tokens == 0
        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(through, door, limiter)
            await anyio.wait_all_tasks_blocked()
            assert door.inside == 2
            door.opened.set()
        assert door.most == 2
        assert limiter.available_tokens == 2

    on(backend, work)


@BACKENDS
def test_a_thread_that_is_left_keeps_its_turn_among_all_of_the_loop(backend: str) -> None:
    door = Door()

    async def work() -> None:
        limiter = to_thread.current_default_thread_limiter()
        await in_turn(in_and_left, None, door)
        assert limiter.borrowed_tokens == 1
        door.opened.set()
        while limiter.borrowed_tokens:
            await checkpoint()

    on(backend, work)


@BACKENDS
def test_a_call_that_is_cancelled_before_its_thread_began_keeps_no_turn(backend: str) -> None:
    door = Door()

    async def work() -> None:
        limiter = CapacityLimiter(1)
        with anyio.CancelScope() as scope:
            scope.cancel()
            await through(door, limiter)
        assert limiter.available_tokens == 1
        assert door.most == 0

    on(backend, work)


@BACKENDS
def test_a_call_that_is_cancelled_in_its_queue_takes_no_turn(backend: str) -> None:
    door = Door()

    async def work() -> None:
        limiter = CapacityLimiter(1)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(through, door, limiter)
            await anyio.wait_all_tasks_blocked()
            with anyio.move_on_after(0.01):
                await through(door, limiter)
            door.opened.set()
        assert limiter.available_tokens == 1
        assert door.most == 1

    on(backend, work)


@BACKENDS
def test_middleware_that_calls_twice_at_once_holds_one_turn_until_both_threads_ended(backend: str) -> None:
    first, second = Door(), Door()

    async def both(_: None) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(in_and_left, first)
            tasks.start_soon(in_and_left, second)

    async def work() -> None:
        limiter = CapacityLimiter(1)
        await in_turn(both, limiter, None)
        first.opened.set()
        while first.inside:
            await checkpoint()
        await checkpoint()
        assert limiter.available_tokens == 0
        second.opened.set()
        while not limiter.available_tokens:
            await checkpoint()

    on(backend, work)


@BACKENDS
def test_what_a_thread_raises_comes_out_and_gives_the_turn_back(backend: str) -> None:
    def broken() -> None:
        raise ValueError("broken")

    async def work() -> None:
        limiter = CapacityLimiter(1)
        with pytest.raises(ValueError, match="broken"):
            await in_turn(lambda _: in_thread(broken), limiter, None)
        assert limiter.available_tokens == 1

    on(backend, work)


@BACKENDS
def test_a_thread_that_outlives_its_event_loop_gives_nothing_back_and_complains_of_nothing(
    backend: str, caplog: pytest.LogCaptureFixture
) -> None:
    ended: Future[None] = Future()

    async def work() -> None:
        turn = Turn(CapacityLimiter(1))
        turn.hold_until(ended)

    on(backend, work)
    ended.set_result(None)
    assert not caplog.records
