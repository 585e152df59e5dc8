"""Serves an application with uvicorn until it is told to stop; connections are then drained within a budget."""

import asyncio
import os
import socket
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from headrace.errors import SettingsError
from headrace_gateway.slow_readers import SlowReaders

_BACKLOG = 2048
_MS = 1000
_LAST_WORDS_S = 0.5  # of the drain: to tell those who still wait that their runs go on


class _Server(uvicorn.Server):
    """Leaves signals to the service, which exits with 0 after a stop; uvicorn would raise them again."""

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started

    def connections(self) -> list[asyncio.Transport]:
        """Give the connections there are."""
        return [each.transport for each in self.server_state.connections]

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_started()


def listen(host: str, port: int, *, send_timeout_s: float = 30.0) -> socket.socket:
    """Listen.

    Args:
        port: 0 for a free one.
        send_timeout_s: A connection whose other end takes nothing of what is sent for so long is cut.

    Raises:
        SettingsError: The address cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno and error.errno > 0 else "the host is not known"
        raise SettingsError("port", f"{port} on host '{host}' cannot be listened on: {why}") from error
    return _tuned(listening, send_timeout_s)


def inherited(fd: int, *, send_timeout_s: float) -> socket.socket:
    """Take a socket over that listens already; as `listen` otherwise.

    Raises:
        SettingsError: The descriptor is none of a socket.
    """
    try:
        return _tuned(socket.socket(fileno=fd), send_timeout_s)
    except OSError as error:
        raise SettingsError("listen_fd", f"is {fd}, which is no socket") from error


def _tuned(listening: socket.socket, send_timeout_s: float) -> socket.socket:
    """Set what accepted connections inherit."""
    # asyncio sets it only on sockets made with a protocol number, which this one is not. Without it an answer on a kept
    # connection waits 40 ms for the client's delayed acknowledgement.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; the kernel does the watching
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(send_timeout_s * _MS))
    return listening


def address_of(listening: socket.socket) -> str:
    """Give the URL at which a socket listens."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def serve_http(  # noqa: PLR0913 - all but three by name
    app: FastAPI,
    listening: Sequence[socket.socket],
    stopping: asyncio.Event,
    *,
    drain_s: float,
    on_started: Callable[[], None],
    max_connections: int | None = None,
    max_message_bytes: int = 1024 * 1024,
    send_timeout_s: float = 30.0,
) -> None:
    """Serve until `stopping` is set.

    Args:
        app: With its waiters in its state, as `create_app` makes it.
        drain_s: The most seconds that requests under way are waited for; waits end just before, with a 504.
        on_started: Called once requests are taken.
        max_connections: Requests of more are answered with 503, without a look at them; None for any number.
        max_message_bytes: The largest message that a WebSocket takes.
        send_timeout_s: A connection whose other end takes less than 1 KB a second for so long is cut.

    Raises:
        RuntimeError: The application did not start.
    """
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="warning",  # the service says itself when it starts and stops
        access_log=False,
        server_header=False,
        ws="websockets-sansio",
        ws_max_size=max_message_bytes,
        ws_per_message_deflate=False,  # a small message can unpack to a large one
        lifespan="on",
        limit_concurrency=max_connections,
        timeout_graceful_shutdown=max(1, round(drain_s)),
    )
    server = _Server(config, on_started)
    slow_readers = SlowReaders(server.connections, every_s=send_timeout_s)
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(server.serve(sockets=list(listening)))
        looking = tasks.create_task(slow_readers.run())
        stop = tasks.create_task(stopping.wait())
        await asyncio.wait((serving, stop), return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        app.state.followers.close()  # who follows goes on where another replica is
        app.state.waiters.hurry(max(0.0, drain_s - _LAST_WORDS_S))
        stop.cancel()
        await asyncio.wait((serving,))
        looking.cancel()
    if not server.started:
        raise RuntimeError("the application did not start")
