"""One process of a service, from its start to its end: bundle in, reports out, ended when its parent ends.

Three pipes lead to it. The bundle's is filled before it starts. On the second it reports. The third carries nothing: it
closes with this process, however that ends, and the child then stops.
"""

import asyncio
import os
import signal
import sys
from asyncio import StreamReader
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager, suppress

import msgspec
from msgspec import Struct

from headrace.errors import Handoff
from headrace.runtime.reports import PROTOCOL, Hello, Ready, Report, read_report
from headrace.settings.bootstrap import BOOTSTRAP_SETTING, pack
from headrace.settings.services import ServiceSettings
from headrace.settings.sources import known_settings, variable
from headrace_supervisor.ending import Ending
from headrace_supervisor.pipes import Pipe

_STDERR = 2  # standard output is for a command's answer

Output = Callable[[str], None]
"""Takes a line that a child has written."""


class Spec(Struct, frozen=True):
    """What to start.

    Attributes:
        name: Of the place, for logs and tables.
        module: The service's program.
        settings: All that it gets.
        group: The group that it consumes; empty for none.
        inherits: Descriptors that its settings name.
        start_s: Seconds until its first report.
        hang_s: Seconds between reports, after which it hangs.
        stop_s: Seconds that it may take to stop; then it is killed.
    """

    name: str
    module: str
    settings: ServiceSettings
    group: str = ""
    inherits: tuple[int, ...] = ()
    start_s: float = 60.0
    hang_s: float = 30.0
    stop_s: float = 25.0


class Child:
    """One process; `live` starts it, and returns when it has ended.

    Args:
        heard: Told of every report.
        output: Takes what it writes; None to have that written where this process writes its errors.

    Attributes:
        pid: 0 before it was started.
        was_cut_off: It did not stop in time when it was told to, and was killed.
    """

    def __init__(self, spec: Spec, heard: Callable[[Report], None], output: Output | None = None) -> None:
        self._spec = spec
        self._heard = heard
        self._output = output
        self._process: Process | None = None
        self._ready_s: float | None = None
        self._handoff = Handoff.FAILED
        self._because = ""
        self.pid = 0
        self.was_cut_off = False

    async def live(self, stopping: asyncio.Event) -> Ending:
        """Run the process until it ends; it has ended when this returns, however it does.

        Args:
            stopping: When it is set the process is asked to stop, and killed when that takes too long.
        """
        async with self._started() as (process, reports), asyncio.TaskGroup() as tasks:
            parts = [tasks.create_task(self._hear(reports)), tasks.create_task(self._stop(process, stopping))]
            if process.stdout is not None and self._output is not None:
                tasks.create_task(_pass_on(process.stdout, self._output))
            await process.wait()
            for part in parts:
                part.cancel()
        lived_s = 0.0 if self._ready_s is None else asyncio.get_running_loop().time() - self._ready_s
        return Ending(process.returncode or 0, self._ready_s is not None, lived_s, self._handoff, self._because)

    def kill(self) -> None:
        """End the process at once, and what it has started itself."""
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)  # it leads a session of its own

    @asynccontextmanager
    async def _started(self) -> AsyncGenerator[tuple[Process, StreamReader]]:
        with Pipe() as bundle, Pipe() as reports, Pipe() as lifeline:
            about = {"report_fd": reports.writing, "parent_fd": lifeline.reading}
            bundle.fill(pack(self._spec.settings.model_copy(update=about)))
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", self._spec.module),
                env={**_environment(), variable(BOOTSTRAP_SETTING): str(bundle.reading)},
                stdin=DEVNULL,
                stdout=_STDERR if self._output is None else PIPE,
                stderr=_STDERR if self._output is None else STDOUT,
                pass_fds=(bundle.reading, reports.writing, lifeline.reading, *self._spec.inherits),
                start_new_session=True,  # Ctrl-C is for us; children are then stopped in order
            )
            self._process, self.pid = process, process.pid
            try:
                reports.close(reports.writing)  # or its end would never be seen
                async with reports.lines() as lines:
                    yield process, lines
            finally:
                self.kill()
                await asyncio.shield(process.wait())

    async def _hear(self, reports: StreamReader) -> None:
        patience_s = self._spec.start_s
        while True:
            try:
                async with asyncio.timeout(patience_s):
                    line = await reports.readline()
            except TimeoutError:
                self._give_up(Handoff.TIMED_OUT, f"was silent for {patience_s:g} s and was killed")
                return
            if not line or not self._take(line):
                return
            patience_s = self._spec.hang_s

    def _take(self, line: bytes) -> bool:
        try:
            report = read_report(line)
        except msgspec.MsgspecError:
            self._give_up(Handoff.TRANSPORT, "reported what is no report and was killed")
            return False
        if isinstance(report, Hello) and report.protocol != PROTOCOL:
            self._give_up(Handoff.TRANSPORT, f"speaks protocol {report.protocol} instead of {PROTOCOL} and was killed")
            return False
        if isinstance(report, Ready):
            self._ready_s = asyncio.get_running_loop().time()
        self._heard(report)
        return True

    def _give_up(self, handoff: Handoff, because: str) -> None:
        self._handoff, self._because = handoff, because
        self.kill()

    async def _stop(self, process: Process, stopping: asyncio.Event) -> None:
        await stopping.wait()
        with suppress(ProcessLookupError):
            process.terminate()
        await asyncio.sleep(self._spec.stop_s)
        self.was_cut_off = True
        self.kill()


def _environment() -> Mapping[str, str]:
    """Give a child what is ours, but no setting: those come in its bundle, and its own children inherit none."""
    settings = {variable(name) for name in known_settings()}
    return {name: value for name, value in os.environ.items() if name not in settings}


async def _pass_on(written: StreamReader, output: Output) -> None:
    async for line in written:
        output(line.decode(errors="replace").rstrip("\n"))
