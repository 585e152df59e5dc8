"""Worker processes of one invocation: started, awaited, started again when they die, stopped at the end."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Mapping
from typing import ClassVar

from headrace.errors import HeadraceError
from headrace_cli.files import say

_STOP_S = 30.0  # over a worker's own budget for its drain
_PAUSE_S = 0.2  # before a worker that died is started again
_EARLY_DEATHS = 3  # in a row, before it was ready: starting it again would go on for ever


class WorkerDiedError(HeadraceError):
    """A worker process does not come up."""

    code: ClassVar[str] = "worker_died"

    def __init__(self, group: str, how: str) -> None:
        super().__init__(f"the worker of group '{group}' {how} before it was ready")


class WorkerProcess:
    """One worker process, kept running until `stop`.

    Args:
        group: The group that it consumes.
        environment: Its environment; every setting comes in it, so that none stands in the process list.

    Attributes:
        ready: Set when it consumes for the first time.
        restarts: Times it was started again.
    """

    def __init__(self, group: str, environment: Mapping[str, str]) -> None:
        self._group = group
        self._environment = environment
        self._stopping = asyncio.Event()
        self.ready = asyncio.Event()
        self.restarts = 0
        self.pid = 0

    async def run(self) -> None:
        """Keep the process running until `stop`; it has ended when this returns, however it does.

        Raises:
            WorkerDiedError: It does not come up.
        """
        early_deaths = 0
        while not self._stopping.is_set():
            was_ready, how = await self._live()
            if self._stopping.is_set():
                return
            early_deaths = 0 if was_ready else early_deaths + 1
            if not self.ready.is_set() or early_deaths == _EARLY_DEATHS:
                raise WorkerDiedError(self._group, how)
            say(f"the worker of group '{self._group}' {how}; it is started again")
            self.restarts += 1
            await asyncio.sleep(_PAUSE_S)

    def stop(self) -> None:
        """Ask the process to finish what is under way, and `run` to return; idempotent, legal before start."""
        self._stopping.set()

    async def _live(self) -> tuple[bool, str]:
        """Run the process once; gives whether it was ready, and how it ended."""
        is_ready = asyncio.Event()
        ready_end, told_end = os.pipe()
        watched_end, lifeline = os.pipe()  # closes with this process, however it ends, and the worker then stops
        loop = asyncio.get_running_loop()

        def take() -> None:
            loop.remove_reader(ready_end)
            if os.read(ready_end, 1):
                is_ready.set()
                self.ready.set()

        try:
            loop.add_reader(ready_end, take)
            try:
                process = await self._start(told_end, watched_end)
            finally:
                os.close(told_end)
                os.close(watched_end)
            self.pid = process.pid
            await self._until_ended(process)
        finally:
            loop.remove_reader(ready_end)
            os.close(ready_end)
            os.close(lifeline)
        return is_ready.is_set(), _how(process.returncode or 0)

    async def _start(self, told_end: int, watched_end: int) -> Process:
        inherited = {"HEADRACE_READY_FD": str(told_end), "HEADRACE_PARENT_FD": str(watched_end)}
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "headrace_worker"),
            env={**self._environment, "HEADRACE_GROUP": self._group, **inherited},
            stdin=DEVNULL,
            stdout=DEVNULL,
            pass_fds=(told_end, watched_end),
            start_new_session=True,  # Ctrl-C is for us; the workers are then stopped in order, with one signal each
        )

    async def _until_ended(self, process: Process) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                stopper = tasks.create_task(self._stop(process))
                await process.wait()
                stopper.cancel()
        finally:
            if process.returncode is None:
                process.kill()
                await asyncio.shield(process.wait())

    async def _stop(self, process: Process) -> None:
        await self._stopping.wait()
        process.terminate()
        await asyncio.sleep(_STOP_S)
        process.kill()


def _how(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
