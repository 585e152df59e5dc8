"""Tasks in child processes, each of which runs one at a time and is kept for the next.

A child that dies fails its task and no other; the next task gets a new one. To cancel a task is to kill its child.
Functions, arguments and values are pickled: a function of a module goes by its name, one of `__main__` or of another
function with its code. No pool library is used: theirs break the whole pool with one child (concurrent.futures, loky),
cannot end their children with the executor (anyio.to_process), or are under a license of another kind (pebble).
"""

import json
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self, cast

import anyio
from anyio.abc import ByteReceiveStream, ByteSendStream, Process
from anyio.streams.buffered import BufferedByteReceiveStream

from headrace.errors import TaskCrashedError
from headrace.executors.backend import Run
from headrace.executors.frames import LENGTH_BYTES, length_of, with_length
from headrace.executors.pickles import pickled, unpickled

_END_S = 5.0  # for a child that was told to end: what it closes may speak to a server
_START = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from headrace.executors.child import main; main()"
_LOST = (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError, anyio.ClosedResourceError)


class Processes:
    """Runs tasks in child processes, as many as run at a time."""

    def __init__(self) -> None:
        self._idle: list[Child] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True):
            async with anyio.create_task_group() as ends:
                while self._idle:
                    ends.start_soon(self._idle.pop().end)

    def is_stoppable(self, call: Callable[[], Any]) -> bool:  # noqa: ARG002 - every call can be stopped
        return True

    async def run(self, call: Callable[[], Any]) -> Any:  # noqa: ANN401 - as `Backend` says
        async with self.place() as run:
            return await run(call)

    def pickled(self, value: object) -> bytes:
        return pickled(value)

    @asynccontextmanager
    async def place(self) -> AsyncGenerator[Run]:
        """Have a child, started if none is idle, for one task; it is killed where its task is under way after that."""
        child = await self._living()
        try:
            yield child.run
        finally:
            if child.is_idle:
                self._idle.append(child)
            else:
                await child.kill()

    async def _living(self) -> "Child":
        while self._idle:
            child = self._idle.pop()
            if child.is_alive:
                return child
            await child.kill()  # closes its pipes
        return await Child.start()


class Child:
    """One child process.

    Args:
        process: Started, with pipes.
        requests: Its input.
        answers: Its output.

    Attributes:
        is_idle: Whether it waits for a task; False for ever once it was lost, or its task was.
    """

    def __init__(self, process: Process, requests: ByteSendStream, answers: ByteReceiveStream) -> None:
        self._process = process
        self._requests = requests
        self._answers = BufferedByteReceiveStream(answers)
        self.is_idle = True

    @classmethod
    async def start(cls) -> Self:
        """Start one, and wait until it is ready for a task."""
        child = cls(*await _started())
        try:
            await child.run(_do_nothing)
        except BaseException:
            await child.kill()
            raise
        return child

    @property
    def is_alive(self) -> bool:
        """Whether its process has not been seen to end."""
        return self._process.returncode is None

    async def run(self, call: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever a user's function returns
        """Have it make a call.

        Raises:
            TaskCrashedError: It died.
            TaskUnpicklableError: The call cannot be sent, or what it gave cannot be read here.
        """
        frame = with_length(pickled(call))
        self.is_idle = False
        try:
            await self._requests.send(frame)
            blob = await self._answers.receive_exactly(length_of(await self._answers.receive_exactly(LENGTH_BYTES)))
        except _LOST as error:
            raise TaskCrashedError(_how(await self._process.wait())) from error
        self.is_idle = True
        return unpickled(blob).result()

    async def kill(self) -> None:
        """End it now, and come back when it has ended; whatever it does."""
        if self._process.returncode is None:
            self._process.kill()
        with anyio.CancelScope(shield=True):
            await self._process.aclose()

    async def end(self) -> None:
        """Have it end by itself, so that it closes what it holds; kill it where it does not."""
        await self._requests.aclose()
        with anyio.move_on_after(_END_S):
            await self._process.wait()
        await self.kill()


async def _started() -> tuple[Process, ByteSendStream, ByteReceiveStream]:
    command = [sys.executable, "-c", _START, json.dumps(sys.path)]
    process = await anyio.open_process(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=None)
    return process, cast("ByteSendStream", process.stdin), cast("ByteReceiveStream", process.stdout)


def _do_nothing() -> None:
    pass


def _how(returncode: int) -> str:
    return f"signal {signal.Signals(-returncode).name}" if returncode < 0 else f"exit code {returncode}"
