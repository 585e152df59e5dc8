"""The server itself, over sockets: who takes nothing of an answer is cut off, and so is who trickles."""

import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest
from msgspec import Struct
from tests.headrace_gateway.live import live

from headrace.graph.pipe import Pipe
from headrace.testing.wait import wait_until_sync

pytestmark = pytest.mark.slow
MANY_BYTES = 4 * 1024 * 1024  # more than the buffers of both ends hold


class Ask(Struct):
    size: int


class Told(Struct):
    text: str


pipe = Pipe("long")


@pipe.node
async def tell(ask: Ask) -> Told:
    return Told("x" * ask.size)


def test_a_reader_that_takes_nothing_is_cut_off_and_others_are_served() -> None:
    with live(pipe, send_timeout_s=0.3) as url, slow_reader(url) as (slow, is_cut):
        assert httpx.post(f"{url}/v1/pipes/long", json={"size": 1}).status_code == HTTPStatus.OK
        wait_until_sync(is_cut, description="the server has let go of the connection")
        assert len(taken_from(slow)) < MANY_BYTES


def test_a_reader_that_takes_a_little_now_and_then_is_cut_off_too() -> None:
    with live(pipe, slow_s=0.3) as url, slow_reader(url) as (slow, is_cut):

        def is_cut_though_it_takes() -> bool:
            slow.recv(1)
            return is_cut()

        wait_until_sync(is_cut_though_it_takes, description="the server has let go of the connection")
        assert len(taken_from(slow)) < MANY_BYTES


@contextmanager
def slow_reader(url: str) -> Generator[tuple[socket.socket, Callable[[], bool]]]:
    """Ask for more than buffers hold; gives the connection, and what tells whether the server has let go of it."""
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.settimeout(20)
        host, _, port = url.removeprefix("http://").partition(":")
        slow.connect((host, int(port)))
        body = b'{"size":%d}' % MANY_BYTES
        head = b"POST /v1/pipes/long HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
        slow.sendall(head % len(body) + body)
        ends = int(port), slow.getsockname()[1]
        wait_until_sync(lambda: is_established(*ends), description="the connection is there")
        yield slow, lambda: not is_established(*ends)


def taken_from(connection: socket.socket) -> bytes:
    """Take what there is until the connection ends, as it does with a reset where its other end gave it up."""
    taken = b""
    try:
        while part := connection.recv(4096):
            taken += part
    except ConnectionResetError:
        pass
    return taken


def is_established(port: int, other: int) -> bool:
    """Tell whether the kernel has a connection between two ports of this machine, as its first end sees it."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ends = f":{port:04X}", f":{other:04X}"
    return any(row[1].endswith(ends[0]) and row[2].endswith(ends[1]) and row[3] == "01" for row in rows)
