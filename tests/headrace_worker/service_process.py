"""A service as a real process, awaited by the line it writes when it works."""

import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

READY_TIMEOUT_S = 20.0
END_TIMEOUT_S = 20.0


class ServiceProcess:
    """A running service; `logs` gives its log lines as they come."""

    def __init__(self, process: "subprocess.Popen[bytes]", report_end: int) -> None:
        self.process = process
        self._report_end = report_end

    def wait_until_ready(self) -> None:
        told = b""
        while b'"ready"' not in told:
            readable, _, _ = select.select([self._report_end], [], [], READY_TIMEOUT_S)
            assert readable, "the service was not ready in time"
            line = os.read(self._report_end, 4096)
            assert line, "the service ended before it was ready"
            told += line

    def wait_for_log(self, event: str) -> bytes:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if event.encode() in line:
                return line
        raise AssertionError(f"the service ended and never logged {event}")

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def ended(self) -> int:
        return self.process.wait(END_TIMEOUT_S)


@contextmanager
def service(module: str, **settings: str) -> Iterator[ServiceProcess]:
    """Run `python -m <module>` with settings in its environment, once it works; killed if it still runs at the end."""
    with launched(module, **settings) as running:
        running.wait_until_ready()
        yield running


@contextmanager
def launched(module: str, **settings: str) -> Iterator[ServiceProcess]:
    """Run it as `service` does, and wait for nothing."""
    report_end, told_end = os.pipe()
    told = {f"HEADRACE_{name.upper()}": value for name, value in settings.items()}
    process = subprocess.Popen(
        [sys.executable, "-m", module],
        env={**os.environ, **told, "HEADRACE_REPORT_FD": str(told_end)},
        stderr=subprocess.PIPE,
        pass_fds=(told_end,),
    )
    os.close(told_end)
    with process:
        try:
            yield ServiceProcess(process, report_end)
        finally:
            process.kill()
            os.close(report_end)
