"""The three modes as real processes: `headrace dev`, `headrace up` on either bus, and services over Redis."""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from tests.support.services import ROOT, Service, services

from headrace.testing.wait import wait_until_sync

APP = "tests.modes.app:pipe"
GROUPS = ("first", "second")
START_S = 45.0
STOP_S = 40.0
_SERVING = re.compile(r"^serving pipe '\w+' at (http://[^,]+),", re.MULTILINE)
_GATEWAY = re.compile(r'"url": "(http://[^"]+)"')


class Mode(StrEnum):
    """Where runs run."""

    A_DEV = "A, dev"
    B_TCP = "B, up on tcp"
    B_REDIS = "B, up on Redis"
    C_SERVICES = "C, services"


class Running(Protocol):
    """A deployment that works."""

    @property
    def url(self) -> str:
        """Where it is asked."""
        ...

    @property
    def log(self) -> str:
        """What its processes have written."""
        ...

    def stop(self) -> list[int]:
        """Tell it to stop as an operator does; gives the exit codes."""
        ...


class Command:
    """One `headrace` command and what it starts.

    Args:
        arguments: Of `headrace`.
        settings: By name without prefix.
    """

    def __init__(self, *arguments: str, **settings: str) -> None:
        environment = {**os.environ, "HEADRACE_LOG_FORMAT": "json", "PYTHONUNBUFFERED": "1"}
        environment |= {f"HEADRACE_{name.upper()}": value for name, value in settings.items()}
        descriptor, path = tempfile.mkstemp(prefix="headrace-", suffix=".log")
        self._path = Path(path)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "headrace_cli", *arguments],
            cwd=ROOT,
            env=environment,
            stdout=descriptor,
            stderr=descriptor,
        )
        os.close(descriptor)

    @property
    def log(self) -> str:
        return self._path.read_text()

    @property
    def url(self) -> str:
        found = _SERVING.search(self.log)
        return found[1] if found else ""

    def ready(self) -> "Command":
        """Wait until it serves."""

        def serves() -> bool:
            assert self.process.poll() is None, f"it ended with {self.process.returncode}:\n{self.log}"
            return bool(self.url)

        wait_until_sync(serves, timeout_s=START_S, description="the deployment serves")
        return self

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def ended(self) -> int:
        """Wait until it has ended; gives its exit code."""
        return self.process.wait(STOP_S)

    def stop(self) -> list[int]:
        self.signal(signal.SIGTERM)
        return [self.ended()]

    def close(self) -> None:
        """End it if it still runs, and what it has started with it."""
        self.process.kill()
        self.process.wait(STOP_S)
        self._path.unlink(missing_ok=True)


class Services:
    """A gateway, a reply service and a worker a group."""

    def __init__(self, started: tuple[Service, ...]) -> None:
        self._started = started

    @property
    def url(self) -> str:
        found = _GATEWAY.search(self._started[0].log)
        return found[1] if found else ""

    @property
    def log(self) -> str:
        return "".join(service.log for service in self._started)

    def stop(self) -> list[int]:
        """The gateway first: what it has taken in still needs the others."""
        return [service.terminate() for service in self._started]


@contextmanager
def running(mode: Mode, redis_url: str, namespace: str, app: str = APP, **settings: str) -> Generator[Running]:
    """Run a deployment in a mode; whatever is left of it ends with the context."""
    on_redis = {"bus_url": redis_url, "namespace": namespace}
    with ExitStack() as stack:
        match mode:
            case Mode.A_DEV:
                command = Command("dev", app, "--port", "0", **settings)
            case Mode.B_TCP:
                command = Command("up", app, "--port", "0", **settings)
            case Mode.B_REDIS:
                command = Command("up", app, "--port", "0", **on_redis, **settings)
            case Mode.C_SERVICES:
                about = {**on_redis, "app": app, **settings}
                workers = [Service("worker", group=group, **about) for group in GROUPS]
                reply = Service("reply", **on_redis, **settings)
                yield Services(stack.enter_context(services(Service("gateway", port="0", **about), reply, *workers)))
                return
        stack.callback(command.close)
        yield command.ready()
