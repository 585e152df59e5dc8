"""A TCP proxy before a server, which breaks connections in the ways that networks do."""

import asyncio
import socket
import struct
from types import TracebackType
from typing import Self

from headrace.testing.wait import wait_until

_READ_BYTES = 65536
_LINGER_NONE = struct.pack("ii", 1, 0)  # a close then sends RST


class Proxy:
    """Forwards to a port of loopback; used as a context.

    Args:
        to: The port. Set `to` for connections made from then on.
    """

    def __init__(self, to: int) -> None:
        self.to = to
        self.port = 0
        self._links: set[Link] = set()
        self._is_frozen = False
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """The proxy's address, as a Redis."""
        return f"redis://127.0.0.1:{self.port}/0"

    def reset(self) -> None:
        """Reset every connection."""
        for link in list(self._links):
            link.reset()

    def freeze(self) -> None:
        """Accept, and forward nothing any more."""
        self._is_frozen = True
        for link in self._links:
            link.asked.clear()
            link.answered.clear()

    def hold_answers(self) -> None:
        """Forward what is asked on the connections that there are, and hold back what is answered."""
        for link in self._links:
            link.answered.clear()

    def lose(self) -> None:
        """Forward nothing any more on the connections there are, and tell nobody: a router lost its state."""
        for link in self._links:
            link.asked.clear()
            link.answered.clear()

    def thaw(self) -> None:
        """Forward again, what was held too."""
        self._is_frozen = False
        for link in self._links:
            link.asked.set()
            link.answered.set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
            self.reset()
            await wait_until(lambda: not self._links, description="the proxy's connections have ended")
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link(writer, is_frozen=self._is_frozen)
        self._links.add(link)
        try:
            await link.carry(reader, self.to)
        finally:
            self._links.discard(link)


class Link:
    """One connection through the proxy."""

    def __init__(self, client: asyncio.StreamWriter, *, is_frozen: bool) -> None:
        self.asked = asyncio.Event()
        self.answered = asyncio.Event()
        if not is_frozen:
            self.asked.set()
            self.answered.set()
        self._client = client
        self._ended = asyncio.Event()

    def reset(self) -> None:
        """Reset it towards the client."""
        raw: socket.socket = self._client.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
        self._client.transport.abort()
        self._ended.set()

    async def carry(self, reader: asyncio.StreamReader, to: int) -> None:
        """Forward both ways until either end closes, or it is reset."""
        try:
            from_server, to_server = await asyncio.open_connection("127.0.0.1", to)
        except OSError:
            self.reset()
            return
        async with asyncio.TaskGroup() as tasks:
            ways = [
                tasks.create_task(self._pump(reader, to_server, self.asked)),
                tasks.create_task(self._pump(from_server, self._client, self.answered)),
            ]
            await self._ended.wait()
            for way in ways:
                way.cancel()
        to_server.transport.abort()
        self._client.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, flows: asyncio.Event) -> None:
        try:
            while data := await reader.read(_READ_BYTES):
                await flows.wait()
                writer.write(data)
                await writer.drain()
            await flows.wait()
        except OSError:
            pass
        self._ended.set()
