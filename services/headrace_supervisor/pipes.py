"""Pipes between the supervisor and a child; each end is closed once, by whoever does it first."""

import asyncio
import os
from asyncio import StreamReader
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self


class Pipe:
    """A pipe whose ends are closed with the context, unless they were before.

    Attributes:
        reading: The reading end's descriptor.
        writing: The writing end's.
    """

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()
        self._open = {self.reading, self.writing}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for end in tuple(self._open):
            self.close(end)

    def close(self, end: int) -> None:
        """Close an end."""
        if end in self._open:
            self._open.discard(end)
            os.close(end)

    def fill(self, content: bytes) -> None:
        """Write the content, all there will be; it has to fit, as nobody reads yet."""
        os.set_blocking(self.writing, False)
        written = os.write(self.writing, content)
        if written < len(content):
            raise ValueError(f"{len(content)} bytes do not fit into a pipe, which took {written}")
        self.close(self.writing)

    @asynccontextmanager
    async def lines(self) -> AsyncGenerator[StreamReader]:
        """Read what comes, without blocking the event loop."""
        reader = StreamReader()
        self._open.discard(self.reading)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(self.reading, "rb", buffering=0)
        )
        try:
            yield reader
        finally:
            transport.close()
