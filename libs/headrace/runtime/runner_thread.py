"""A `SyncRunner` in a thread of its own, beside an event loop that it never blocks."""

import asyncio
import threading
from contextlib import suppress

import structlog

from headrace.runtime.sync_runner import SyncRunner

_log = structlog.get_logger("headrace.service")


class RunnerThread:
    """Runs a runner in a thread until it is stopped; a part to run beside others.

    Args:
        stop_s: Seconds that a stop waits for the runner, whose nodes may block for ever; then it is left behind, and
            ends with the process.
    """

    def __init__(self, runner: SyncRunner, *, stop_s: float) -> None:
        self._runner = runner
        self._stop_s = stop_s
        self._stopping = asyncio.Event()
        self._started = asyncio.Event()

    async def run(self) -> None:
        """Run until `stop`; raises what the runner raises."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[BaseException | None] = loop.create_future()

        def block() -> None:
            error: BaseException | None = None
            try:
                self._runner.run(lambda: loop.call_soon_threadsafe(self._started.set))
            except BaseException as raised:  # noqa: BLE001 - raised again below, in the loop that waits
                error = raised
            with suppress(RuntimeError):  # the loop is closed: it was left behind
                loop.call_soon_threadsafe(_resolve, ended, error)

        threading.Thread(target=block, name="runner", daemon=True).start()
        stop = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait((ended, stop), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
            self._runner.stop()
        await asyncio.wait((ended,), timeout=self._stop_s)
        if not ended.done():
            _log.error("runner_left_behind", stop_s=self._stop_s)
        elif (error := ended.result()) is not None:
            raise error

    def stop(self) -> None:
        """Ask `run` to return; idempotent, legal before start."""
        self._stopping.set()

    async def started(self) -> None:
        """Wait until the start-up hooks have run; where they fail, `run` raises."""
        await self._started.wait()


def _resolve(ended: asyncio.Future[BaseException | None], error: BaseException | None) -> None:
    if not ended.done():
        ended.set_result(error)
