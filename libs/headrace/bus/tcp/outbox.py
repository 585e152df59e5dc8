"""What one end of a connection sends: all that is put within one turn of the event loop goes out as one frame."""

import asyncio
from collections.abc import Callable

from headrace.bus.tcp.frames import Sealer
from headrace.bus.tcp.methods import joined
from headrace.kernel.clock import Clock

HIGH_BYTES = 4 * 1024 * 1024
"""Beyond this much unsent, its end takes on nothing more until the peer has read."""

_FRAME_BYTES = 1024 * 1024  # a longer frame saves nothing, and keeps its peer from beginning
_MS = 1000


class Outbox:
    """Sends messages over a transport.

    Args:
        transport: Calls `pause` and `resume` through its protocol.
        sent: Called each time that it is no longer full.
    """

    def __init__(
        self, transport: asyncio.Transport, sealer: Sealer, clock: Clock, *, sent: Callable[[], None] = lambda: None
    ) -> None:
        self._transport = transport
        self._sent = sent
        self._sealer = sealer
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._messages: list[bytes] = []
        self._is_paused = False
        self._is_due = False
        self._room = asyncio.Event()
        self._room.set()
        self.unsent_bytes = 0
        transport.set_write_buffer_limits(high=HIGH_BYTES // 4)

    def put(self, message: bytes) -> None:
        """Send a message soon."""
        self._messages.append(message)
        self.unsent_bytes += len(message)
        if self.unsent_bytes > HIGH_BYTES:
            self._room.clear()
        if not self._is_due and not self._is_paused:
            self._is_due = True
            self._loop.call_soon(self._flush)

    @property
    def is_full(self) -> bool:
        """Whether the peer should read first."""
        return self._is_paused or self.unsent_bytes > HIGH_BYTES

    async def room(self) -> None:
        """Wait until it is not full."""
        while self.is_full:
            await self._room.wait()

    def pause(self) -> None:
        """Send nothing until `resume`: the transport is full."""
        self._is_paused = True
        self._room.clear()

    def resume(self) -> None:
        """Go on."""
        self._is_paused = False
        self._flush()

    def close(self) -> None:
        """Send nothing any more, and let nobody wait for room; what is asked for next fails by itself."""
        self._messages.clear()
        self.unsent_bytes = 0
        self._is_paused = False
        self._room.set()

    def _flush(self) -> None:
        self._is_due = False
        while self._messages and not self._is_paused:
            batch = self._batch()
            self._transport.write(self._sealer.seal(joined(batch), now_ms=int(self._clock.now() * _MS)))
        if not self.is_full:
            self._room.set()
            self._sent()

    def _batch(self) -> list[bytes]:
        """Take what goes into the next frame."""
        if self.unsent_bytes <= _FRAME_BYTES:
            batch, self._messages = self._messages, []
            self.unsent_bytes = 0
            return batch
        size = count = 0
        for message in self._messages:
            size += len(message)
            count += 1
            if size >= _FRAME_BYTES:
                break
        batch = self._messages[:count]
        del self._messages[:count]
        self.unsent_bytes -= size
        return batch
