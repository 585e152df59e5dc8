"""Service processes for tests: real ones, started as an operator starts them, killed and stopped as chaos does."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from headrace.testing.wait import wait_until_sync

ROOT = Path(__file__).parents[2]
START_S = 30.0
STOP_S = 30.0


class Service:
    """One process of one service.

    Args:
        name: `worker`, `reply` or `gateway`.
        module: Its program; empty for the service's own.
        settings: Its settings, by name without prefix.
    """

    def __init__(self, name: str, *, module: str = "", **settings: str) -> None:
        self.name = name
        self._log = tempfile.NamedTemporaryFile(prefix=f"headrace-{name}-", suffix=".log", delete=False)  # noqa: SIM115
        environment = {**os.environ, "HEADRACE_LOG_FORMAT": "json", "PYTHONUNBUFFERED": "1"}
        environment |= {f"HEADRACE_{key.upper()}": value for key, value in settings.items()}
        command = [sys.executable, "-m", module or f"headrace_{name}"]
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=self._log, stdout=self._log)

    @property
    def log(self) -> str:
        """What it has logged so far."""
        return Path(self._log.name).read_text()

    @property
    def pid(self) -> int:
        return self.process.pid

    def ready(self) -> "Service":
        """Wait until it says that it has started."""

        def has_started() -> bool:
            if self.process.poll() is not None:
                raise AssertionError(f"{self.name} ended with {self.process.returncode}:\n{self.log}")
            return f"{self.name}_started" in self.log

        wait_until_sync(has_started, timeout_s=START_S, description=f"{self.name} starts")
        return self

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it at once, as `kill -9` does."""
        self.process.kill()
        self.process.wait(STOP_S)

    def terminate(self) -> int:
        """Ask it to drain and stop; gives its exit code."""
        self.process.terminate()
        return self.process.wait(STOP_S)

    def close(self) -> None:
        """End it if it still runs, and forget its log."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.kill()
        self._log.close()
        Path(self._log.name).unlink(missing_ok=True)


@contextmanager
def services(*started: Service) -> Iterator[tuple[Service, ...]]:
    """Wait until every one of some services is up; end them with the context."""
    try:
        for one in started:
            one.ready()
        yield started
    finally:
        for one in started:
            one.close()
