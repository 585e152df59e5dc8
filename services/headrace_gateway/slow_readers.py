"""Cuts connections whose other end takes what is sent so slowly that it would hold an answer for hours.

The kernel cuts one that takes nothing (`TCP_USER_TIMEOUT`); one that takes a little now and then is seen here. It costs
requests nothing: connections are looked at now and then, and only those that have something left to send.
"""

import asyncio
import socket
import struct
from collections.abc import Callable, Iterable

from msgspec import Struct

LEAST_BYTES_S = 1024  # a slow modem's; to hold 1 MB then takes at most a quarter of an hour
_BYTES_ACKED = struct.Struct("=120xQ")  # of tcp_info in linux/tcp.h: tcpi_bytes_acked, since Linux 4.1
_TCP_INFO: int | None = getattr(socket, "TCP_INFO", None)


class Seen(Struct, frozen=True):
    """A connection that has something left to send, as a look has seen it.

    Attributes:
        left: Bytes still to be handed to the kernel.
        taken: Bytes that the other end has taken since the connection was made.
    """

    left: int
    taken: int


def is_too_slow(before: Seen, now: Seen, least_bytes: float) -> bool:
    """Tell whether of what was left at one look too little has been taken by the next."""
    return now.taken - before.taken < min(least_bytes, before.left)


class SlowReaders:
    """Looks at connections.

    Args:
        connections: Gives those there are.
        every_s: Seconds between looks.
    """

    def __init__(self, connections: Callable[[], Iterable[asyncio.Transport]], *, every_s: float) -> None:
        self._connections = connections
        self._every_s = every_s
        self._seen: dict[asyncio.Transport, Seen] = {}

    async def run(self) -> None:
        """Look until cancelled; where the kernel does not tell what was taken, there is nothing to do."""
        while _TCP_INFO is not None:
            await asyncio.sleep(self._every_s)
            self._look(_TCP_INFO)

    def _look(self, tcp_info: int) -> None:
        seen = {each: _seen(each, tcp_info) for each in self._connections() if each.get_write_buffer_size()}
        for connection, now in seen.items():
            before = self._seen.get(connection)
            if before is not None and is_too_slow(before, now, LEAST_BYTES_S * self._every_s):
                connection.abort()
        self._seen = seen


def _seen(connection: asyncio.Transport, tcp_info: int) -> Seen:
    info = connection.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, tcp_info, _BYTES_ACKED.size)
    (taken,) = _BYTES_ACKED.unpack(info)
    return Seen(connection.get_write_buffer_size(), taken)
