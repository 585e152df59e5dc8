"""A Redis of the benchmark's own."""

import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from benchmarks.harness.fleet import cpu_s
from redis import Redis
from redis.exceptions import RedisError

Persistence = Literal["off", "aof"]
_START_S = 5.0
_BIND_S = 0.3  # until a port that is taken is noticed


class Server:
    """A running server.

    Args:
        persistence: `off`, or the append-only file with `everysec`.
    """

    def __init__(self, port: int, persistence: Persistence, process: subprocess.Popen[bytes]) -> None:
        self.url = f"redis://127.0.0.1:{port}/0"
        self.persistence = persistence
        self.commands: Any = Redis(port=port)
        self._process = process

    @property
    def version(self) -> str:
        """What it says of itself."""
        return str(self.commands.info("server")["redis_version"])

    def cpu_s(self) -> float:
        """Give its CPU time so far."""
        return cpu_s(self._process.pid)

    def empty(self) -> None:
        """Forget all keys, scripts and statistics."""
        self.commands.flushall()
        self.commands.config_resetstat()

    def used_bytes(self) -> int:
        """Give the memory that its data takes."""
        return int(self.commands.info("memory")["used_memory"])


@contextmanager
def redis_server(port: int, persistence: Persistence, directory: Path) -> Generator[Server]:
    """Run a server until the context closes."""
    is_kept = "yes" if persistence == "aof" else "no"
    command = ["redis-server", "--port", str(port), "--save", "", "--appendonly", is_kept]
    command += ["--appendfsync", "everysec", "--dir", str(directory), "--bind", "127.0.0.1"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603 - our own command
    try:
        time.sleep(_BIND_S)
        if process.poll() is not None:
            raise RuntimeError(f"redis-server did not start on port {port}; does another one have it?")
        server = Server(port, persistence, process)
        _await(server)
        yield server
    finally:
        process.terminate()
        process.wait()


def _await(server: Server) -> None:
    give_up_s = time.monotonic() + _START_S
    while True:
        try:
            server.commands.ping()
        except RedisError:
            if time.monotonic() > give_up_s:
                raise
            time.sleep(0.02)
        else:
            return
