"""A private `redis-server` process that a test may kill, pause and start again."""

import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from redis import Redis
from redis.exceptions import RedisError

from headrace.testing.wait import wait_until_sync

BINARY = "redis-server"
IN_MEMORY = ("--save", "", "--appendonly", "no")
DURABLE = ("--save", "", "--appendonly", "yes", "--appendfsync", "always")  # what was answered survives a kill
REPLICATED = (*IN_MEMORY, "--repl-diskless-sync-delay", "0")  # a replica is in step at once, not after 5 s


class RedisServer:
    """One server on loopback, on a port and a data directory that stay the same over its restarts.

    Args:
        options: Command line options; `DURABLE` for a server that is killed and must remember.
        config: Text of a configuration file that the server may rewrite, as a sentinel does.
    """

    def __init__(self, options: tuple[str, ...] = IN_MEMORY, *, config: str = "") -> None:
        self._options = options
        self._config = config
        self._directory = Path(tempfile.mkdtemp(prefix="headrace-redis-"))
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start the server and wait until it answers; one that runs is left alone."""
        if self._process is not None:
            return
        files = [str(self._write_config())] if self._config else []
        command = [BINARY, *files, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._directory)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([*command, *self._options], stdin=subprocess.DEVNULL, stdout=log)
        wait_until_sync(self._is_up, description=f"redis-server answers on port {self.port}")

    def kill(self) -> None:
        """End the server at once, as `kill -9` does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End the server in order."""
        self._end(signal.SIGTERM)

    def restart(self) -> None:
        """Kill the server and start it again, on the same port with what it had stored."""
        self.kill()
        self.start()

    def pause(self) -> None:
        """Freeze the server: connections stay open and nothing is answered."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen server go on."""
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """End the server and delete what it stored; idempotent."""
        self.kill()
        shutil.rmtree(self._directory, ignore_errors=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def _log(self) -> Path:
        return self._directory / "server.log"

    def _write_config(self) -> Path:
        config = self._directory / "server.conf"
        if not config.exists():
            config.write_text(self._config)
        return config

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None:
            raise RuntimeError("the server does not run")
        self._process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(number)
        self._process.send_signal(signal.SIGCONT)  # a frozen process takes SIGTERM only once it goes on
        self._process.wait(timeout=10)
        self._process = None

    def _is_up(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            raise RuntimeError(f"redis-server ended with {self._process.returncode}: {self._log.read_text()}")
        return answers(self.url)


def answers(url: str) -> bool:
    """Tell whether a Redis server answers there."""
    try:
        with Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2) as client:
            return bool(client.ping())
    except RedisError:
        return False


def is_in_step(master_url: str, replica_url: str) -> bool:
    """Tell whether a replica has all that its master has answered."""
    with Redis.from_url(master_url) as master, Redis.from_url(replica_url) as replica:
        ahead: Any = master.info("replication")
        behind: Any = replica.info("replication")
    is_up = behind["role"] == "slave" and behind["master_link_status"] == "up"
    return bool(is_up and ahead["master_repl_offset"] == behind["slave_repl_offset"])


def free_port() -> int:
    """A port of loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
