"""Tasks on Ray: in the processes of a cluster, or of this machine where no cluster is named.

A cluster is what `ray.init` finds: the one that the process is connected to already, or that of `RAY_ADDRESS`, or one
started for the purpose, which ends with the last executor of the process that runs on it. Its machines need the same
code installed. A task that is cancelled is cancelled in Ray, by force, for nothing else stops code that does not return
to Python.
"""

import importlib
import threading
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import Any, Self

import anyio
from anyio import CancelScope, Event, from_thread, to_thread
from anyio.lowlevel import current_token

from headrace.errors import TaskCrashedError
from headrace.executors.await_here import make
from headrace.executors.backend import Run
from headrace.executors.pickles import answer, pickled, unpickled

_ray: Any = importlib.import_module("ray")  # it is not installed where types are checked
_END_S = 10.0  # for Ray to say that a task has ended that it was told to end


class Ray:
    """Runs tasks on Ray, as many as the executor allows and the cluster has cores for."""

    def __init__(self) -> None:
        self._holds = False
        # a task that was lost is its caller's to repeat, who knows whether it may be
        self._remote = _ray.remote(max_retries=0)(_answer)

    async def __aenter__(self) -> Self:
        self._holds = await to_thread.run_sync(_local.hold)
        return self

    async def __aexit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._holds:
            self._holds = False
            with CancelScope(shield=True):
                await to_thread.run_sync(_local.release)

    def is_stoppable(self, call: Callable[[], Any]) -> bool:  # noqa: ARG002 - every call can be stopped
        return True

    def pickled(self, value: object) -> bytes:
        return pickled(value)

    @asynccontextmanager
    async def place(self) -> AsyncGenerator[Run]:
        """Give what runs a call; Ray itself finds the process, and its start counts as the call's time."""
        yield self.run

    async def run(self, call: Callable[[], Any]) -> Any:  # noqa: ANN401 - as `Backend` says
        task = self._remote.remote(pickled(call))
        future, ended, token = task.future(), Event(), current_token()

        def end(_: object) -> None:
            with suppress(Exception):  # the loop has ended before its task, and nobody waits any more
                from_thread.run_sync(ended.set, token=token)

        future.add_done_callback(end)
        try:
            await ended.wait()
        except BaseException:
            _ray.cancel(task, force=True)
            with CancelScope(shield=True), anyio.move_on_after(_END_S):
                await ended.wait()
            raise
        try:
            blob: bytes = future.result()
        except _ray.exceptions.RayError as error:
            raise TaskCrashedError(type(error).__name__) from error
        return unpickled(blob).result()


class _Local:
    """Ray as this process has connected to it or started it, which takes seconds; until the last who holds it is gone.

    What Ray starts dies with the thread that has started it, so that has to be one that lives.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holders = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread()

    def hold(self) -> bool:
        """Have Ray here until `release`; False where somebody else has connected this process, whose it stays."""
        with self._lock:
            if not self._holders:
                if _ray.is_initialized():
                    return False
                self._start()
            self._holders += 1
            return True

    def release(self) -> None:
        """Need it no more; once for each `hold`."""
        with self._lock:
            self._holders -= 1
            if not self._holders:
                self._stopping.set()
                self._thread.join()

    def _start(self) -> None:
        started: Future[None] = Future()
        self._stopping.clear()
        self._thread = threading.Thread(target=self._live, args=(started,), name="ray", daemon=True)
        self._thread.start()
        started.result()

    def _live(self, started: "Future[None]") -> None:
        try:
            _ray.init(include_dashboard=False, logging_level="error")
        except BaseException as error:  # noqa: BLE001 - raised where it was started
            started.set_exception(error)
            return
        started.set_result(None)
        self._stopping.wait()
        _ray.shutdown()


_local = _Local()


def _answer(frame: bytes) -> bytes:
    return answer(frame, make)
