"""Tasks in child processes: real children, killed and outlived."""

import os
import signal
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from headrace.errors import TaskCancelledError, TaskCrashedError, TaskUnpicklableError
from headrace.executors import Cancelled, Executor, ExitReason
from headrace.executors.processes import Processes
from headrace.testing.wait import wait_until, wait_until_sync

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """Children take most of a second to start; one test is enough to see them on trio."""
    return "asyncio"


@pytest.fixture(scope="module")
async def executor() -> AsyncIterator[Executor]:
    async with Executor("process", concurrency=2) as executor:
        yield executor


class OddError(Exception):
    """Pickles, but does not come back."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(one)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_tasks_run_in_another_process_which_is_kept_for_the_next(executor: Executor) -> None:
    first, second = [await (await executor.submit(os.getpid)) for _ in range(2)]
    assert first == second != os.getpid()


async def test_functions_without_a_module_coroutines_and_large_values_go_there_and_back(executor: Executor) -> None:
    offset = 2

    async def add(number: int) -> int:
        await anyio.lowlevel.checkpoint()
        return number + offset

    assert await executor.map(add, range(20)) == [number + 2 for number in range(20)]
    assert await (await executor.submit(bytes.upper, b"x" * 1_000_000)) == b"X" * 1_000_000


async def test_what_a_task_raises_is_raised_here_with_where_it_was_raised(executor: Executor) -> None:
    handle = await executor.submit(int, "seven")
    with pytest.raises(ValueError, match="seven") as raised:
        await handle
    assert handle.exit_reason is ExitReason.FAILED
    assert "in another process" in raised.value.__notes__[0]


async def test_a_task_that_exits_raises_that_here_as_one_in_a_thread_does(executor: Executor) -> None:
    with pytest.raises(SystemExit, match="3"):
        await (await executor.submit(sys.exit, 3))
    assert await (await executor.submit(abs, -1)) == 1


async def test_what_has_no_form_to_travel_in_fails_its_task_alone(executor: Executor) -> None:
    def odd() -> None:
        raise OddError("one", "two")

    def interrupt() -> None:
        raise KeyboardInterrupt  # of the child's, which must not end this program

    for call, what in (
        (threading.Lock, "the task's value"),
        (odd, "the task's exception"),
        (interrupt, "the task's end"),
    ):
        with pytest.raises(TaskUnpicklableError, match=what):
            await (await executor.submit(call))
    with pytest.raises(TaskUnpicklableError, match="the task cannot"):
        await (await executor.submit(repr, threading.Lock()))
    assert await (await executor.submit(abs, -1)) == 1


async def test_a_killed_child_fails_its_task_and_no_other(executor: Executor, tmp_path: Path) -> None:
    go_on = tmp_path / "go_on"
    os.mkfifo(go_on)
    other = await executor.submit(go_on.read_text)
    victim = await executor.submit(lambda: os.kill(os.getpid(), signal.SIGKILL))
    await victim.wait()
    assert (victim.exit_reason, other.exit_reason) == (ExitReason.CRASHED, None)
    with pytest.raises(TaskCrashedError, match="SIGKILL"):
        victim.result()
    await anyio.to_thread.run_sync(go_on.write_text, "done")
    assert await other == "done"
    assert await (await executor.submit(abs, -4)) == 4


async def test_a_killed_child_is_told_of_although_a_fork_of_it_lives_on(executor: Executor, tmp_path: Path) -> None:
    heir = tmp_path / "heir"

    def fork_and_die() -> None:
        pid = os.fork()
        if not pid:
            threading.Event().wait()
        heir.write_text(str(pid))
        os.kill(os.getpid(), signal.SIGKILL)

    try:
        with anyio.fail_after(30), pytest.raises(TaskCrashedError):
            await (await executor.submit(fork_and_die))
        assert is_alive(int(heir.read_text()))
    finally:
        os.kill(int(heir.read_text()), signal.SIGKILL)


async def test_a_child_that_was_killed_while_idle_is_replaced_and_fails_no_task() -> None:
    processes = Processes()
    async with processes:
        pid = await processes.run(os.getpid)
        (child,) = processes._idle  # pyright: ignore[reportPrivateUsage]  # no other sees that it has ended
        os.kill(pid, signal.SIGKILL)
        await wait_until(lambda: not child.is_alive, description="the child has ended")
        assert await processes.run(os.getpid) != pid


async def test_a_child_that_exits_fails_its_task_with_its_exit_code(executor: Executor) -> None:
    with pytest.raises(TaskCrashedError, match="exit code 7"):
        await (await executor.submit(os._exit, 7))


async def test_a_cancelled_task_is_stopped_with_its_process(executor: Executor, tmp_path: Path) -> None:
    here = tmp_path / "pid"

    def block() -> None:
        here.with_suffix(".part").write_text(str(os.getpid()))
        here.with_suffix(".part").rename(here)
        threading.Event().wait()

    handle = await executor.submit(block)
    await wait_until(here.exists, description="the task has begun")
    pid = int(here.read_text())
    assert handle.cancel() is Cancelled.STOPPED
    with pytest.raises(TaskCancelledError):
        await handle
    assert await (await executor.submit(abs, -1)) == 1  # the slot is free again, with a child of its own
    await wait_until(lambda: not is_alive(pid), description="its process has ended")


async def test_what_a_task_prints_and_reads_does_not_touch_the_pipes(executor: Executor) -> None:
    def talk() -> str:
        sys.stdout.write("to standard error\n")
        os.write(1, b"to standard error\n")
        return sys.stdin.read()

    assert await (await executor.submit(talk)) == ""


async def test_children_end_with_their_parent_even_in_the_middle_of_a_task(tmp_path: Path) -> None:
    here = tmp_path / "pid"
    program = f"""
import anyio, os, pathlib, threading
from headrace.executors import Executor

def block():
    here = pathlib.Path({str(here)!r})
    here.with_suffix(".part").write_text(str(os.getpid()))
    here.with_suffix(".part").rename(here)
    threading.Event().wait()

async def main():
    async with Executor("process", concurrency=1) as executor:
        await executor.submit(block)

anyio.run(main)
"""
    async with await anyio.open_process([sys.executable, "-c", program]) as parent:
        await wait_until(here.exists, timeout_s=30, description="the task has begun")
        parent.kill()
    pid = int(here.read_text())
    wait_until_sync(lambda: not is_alive(pid), description="the child has ended")


class ExitsWhenRead:
    """Ends whoever reads it, but for the process that made it."""

    def __init__(self) -> None:
        self.made_by = os.getpid()

    def __setstate__(self, state: dict[str, int]) -> None:
        if state["made_by"] != os.getpid():
            sys.exit(3)


async def test_a_value_that_exits_when_it_is_read_here_fails_its_task_alone(executor: Executor) -> None:
    with pytest.raises(TaskUnpicklableError, match="SystemExit"):
        await (await executor.submit(ExitsWhenRead))
    assert await (await executor.submit(abs, -1)) == 1
