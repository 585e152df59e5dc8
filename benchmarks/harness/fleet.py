"""The processes of a case: started, asked for their CPU time and memory, stopped."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

ROOT = Path(__file__).resolve().parents[2]
_VENVS = ROOT / "benchmarks" / ".venv"
NEWER = "newer"  # the environment that the harness itself runs in
_STOP_S = 5.0


def program(venv: str, name: str) -> str:
    """Give a program of one of the benchmarks' environments."""
    folder = Path(sys.executable).parent if venv == NEWER else _VENVS / venv / "bin"
    return str(folder / name)


class Fleet:
    """Processes that are started together and end together; their output goes to a file.

    Args:
        environment: Added to this process's own.
    """

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self._environment = {**os.environ, **environment}
        self._log = log.open("ab")
        self._processes: list[subprocess.Popen[bytes]] = []
        self._aside: set[int] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
        self._log.close()

    def start(self, command: Sequence[str], *, aside: bool = False) -> subprocess.Popen[bytes]:
        """Start a process in a session of its own.

        Args:
            aside: Its CPU time is counted aside, as it is no worker.
        """
        process = subprocess.Popen(  # noqa: S603 - our own commands
            command, cwd=ROOT, env=self._environment, stdout=self._log, stderr=self._log, start_new_session=True
        )
        self._processes.append(process)
        if aside:
            self._aside.add(process.pid)
        return process

    def talk(self, command: Sequence[str]) -> subprocess.Popen[str]:
        """Start a process whose standard output is read by the caller, who waits for it."""
        return subprocess.Popen(  # noqa: S603 - our own commands
            command, cwd=ROOT, env=self._environment, stdout=subprocess.PIPE, stderr=self._log, text=True
        )

    def cpu_s(self, *, aside: bool = False) -> float:
        """Give the CPU time of the workers and their children so far, or that of those aside."""
        return sum(cpu_s(process.pid) for process in self._processes if (process.pid in self._aside) == aside)

    def rss_mb(self) -> float:
        """Give the largest resident set of a worker."""
        workers = [process.pid for process in self._processes if process.pid not in self._aside]
        sizes = [each.memory_info().rss for pid in workers for each in _family(pid)]
        return max(sizes, default=0) / 2**20

    def stop(self) -> None:
        """End all processes."""
        for process in self._processes:
            _signal(process.pid, signal.SIGTERM)
        for process in self._processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(_STOP_S)
            _signal(process.pid, signal.SIGKILL)  # what a parent has left behind
            process.wait()
        self._processes.clear()


def cpu_s(pid: int) -> float:
    """Give the CPU time of a process and its children, those that have ended included."""
    total = 0.0
    for each in _family(pid):
        try:
            times = each.cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system
    return total


def _family(pid: int) -> list[psutil.Process]:
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.Error:
        return []


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return
