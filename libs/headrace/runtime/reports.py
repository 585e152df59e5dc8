"""What a service tells whoever started it, on an inherited pipe: a line of JSON each for hello, ready, and every beat.

| line | when | says |
| --- | --- | --- |
| `hello` | first, when settings and pipes are loaded | the protocol, and the plans by pipe |
| `ready` | when it works | where it listens |
| `beat` | every second from `hello` on, as long as its event loop and its reader live | what it does and has done |

A service that nobody listens to goes on: lines that find no room are dropped.
"""

import asyncio
import os
from collections.abc import Callable, Mapping

import msgspec
from msgspec import Struct

PROTOCOL = 1
_EVERY_S = 1.0


class Hello(Struct, frozen=True, tag="hello"):
    """The handshake.

    Attributes:
        plans: Versions of the plans it has loaded, by pipe.
    """

    protocol: int
    pid: int
    plans: Mapping[str, str]


class Ready(Struct, frozen=True, tag="ready"):
    """It works."""

    url: str = ""


class Beat(Struct, frozen=True, tag="beat"):
    """It lives.

    Attributes:
        in_flight: Deliveries that it holds, or requests that wait.
        done: How many have ended since it started.
    """

    in_flight: int = 0
    done: int = 0


Report = Hello | Ready | Beat
_encode = msgspec.json.Encoder().encode
_decoder: msgspec.json.Decoder[Report] = msgspec.json.Decoder(Report)


def read_report(line: bytes) -> Report:
    """Read a line.

    Raises:
        msgspec.MsgspecError: It is none of ours.
    """
    return _decoder.decode(line)


class Reports:
    """A service's reports; of one without a pipe they go nowhere.

    Args:
        fd: The pipe's writing end.
        every_s: Seconds between beats.
    """

    def __init__(self, fd: int | None, *, every_s: float = _EVERY_S) -> None:
        self._fd = fd
        self._every_s = every_s
        self._beat: Callable[[], Beat | None] = Beat
        self._stopping = asyncio.Event()
        if fd is not None:
            os.set_blocking(fd, False)

    def hello(self, plans: Mapping[str, str]) -> None:
        """Say which plans are loaded."""
        self._tell(Hello(PROTOCOL, os.getpid(), plans))

    def ready(self, beat: Callable[[], Beat | None] = Beat, *, url: str = "") -> None:
        """Say that the service works.

        Args:
            beat: Asked every second from now on; gives None where the service is dead in all but name.
        """
        self._beat = beat
        self._tell(Ready(url))

    async def run(self) -> None:
        """Say that the service lives, as long as it does, until `stop`; then say nothing more."""
        while self._fd is not None and not self._stopping.is_set():
            await self._pause()
            beat = self._beat()
            if beat is not None:
                self._tell(beat)
        self._close()

    def stop(self) -> None:
        """Ask `run` to return; idempotent, legal before start."""
        self._stopping.set()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._every_s):
                await self._stopping.wait()
        except TimeoutError:
            return

    def _tell(self, report: Report) -> None:
        if self._fd is None:
            return
        try:
            os.write(self._fd, _encode(report) + b"\n")  # shorter than what a pipe takes whole or not at all
        except BlockingIOError:
            return
        except OSError:  # the reader has gone
            self._close()

    def _close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
