"""The channel between processes and hosts: the same contract, over a bus.

A message is taken by one receiver and settled when that one asks for the next or closes. What a receiver had not
settled when it died goes to another: so a crash repeats a message, and never loses one. An end has died when it was
silent for longer than its lease; one that is held open, by `async with`, says again and again that it is there.
"""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Generic, Self, TypeVar, cast

from anyio import Lock, WouldBlock, move_on_after

from headrace.channels.ends import Nothing, Received, Sent
from headrace.channels.port import ChannelBus, ChannelEnd, Reply, Side, Word
from headrace.errors import ChannelClosedError, HeadraceError
from headrace.kernel.clock import random_bytes
from headrace.wire.codec import MessageCodec

T = TypeVar("T")

_ID_BYTES = 8
_BEAT = 1 / 3  # of its lease: after that an end says again that it is there
_LEAVE_S = 5.0  # that a cancelled task may take to say that its end is gone; after that the lease says it
_WAIT_S = 1.0  # then it asks again anyway: an end that died tells nobody


class Family:
    """An end and its clones in this process, which must all be there before one of them leaves."""

    def __init__(self, bus: ChannelBus, channel: str, side: Side, lease_s: float) -> None:
        self.bus = bus
        self._make: Callable[[str], ChannelEnd] = lambda name: ChannelEnd(channel, side, name, lease_s)
        self._absent: dict[ChannelEnd, None] = {}

    def born(self) -> ChannelEnd:
        """Make one more end, which is not there yet."""
        end = self._make(random_bytes(_ID_BYTES).hex())
        self._absent[end] = None
        return end

    async def join(self, end: ChannelEnd) -> None:
        """Have an end be there."""
        if end in self._absent:
            await self.bus.channel_join(end)
            self._absent.pop(end, None)

    async def stay(self, end: ChannelEnd) -> None:
        """Say that an end which is there still is, as well as that can be said now."""
        if end not in self._absent:
            with suppress(HeadraceError):
                await self.bus.channel_join(end)

    async def leave(self, end: ChannelEnd, settled: str) -> None:
        """Have an end be gone, after its clones are there."""
        for absent in tuple(self._absent):
            await self.join(absent)
        await self.bus.channel_leave(end, settled)


class _DistributedEnd:
    def __init__(self, family: Family) -> None:
        self._family = family
        self._end = family.born()
        self._lock = Lock()  # one step of an end at a time: its messages are numbered, or settled one by one
        self._settled = ""
        self._word = Lock(fast_acquire=True)  # a word that comes after its last one would have it be there again
        self._beats: asyncio.Task[None] | None = None
        self._has_left = False
        self.is_closed = False

    async def aclose(self) -> None:
        """Close this end; idempotent. The bus is told also by a task that is cancelled.

        Raises:
            BusUnavailableError: The bus cannot be reached; the end is closed, and told of when this is asked again.
        """
        self.is_closed = True
        try:
            with move_on_after(_LEAVE_S, shield=True):
                async with self._word:
                    if not self._has_left:
                        await self._family.leave(self._end, self._settled)
                        self._has_left = True
        finally:
            if self._beats is not None:
                self._beats.cancel()

    async def __aenter__(self) -> Self:
        """Hold it open: it says by itself that it is there, however long nothing is sent or received."""
        if self._beats is None and not self.is_closed:
            self._beats = asyncio.create_task(self._beat())
        return self

    async def __aexit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._end.lease_s * _BEAT)
            async with self._word:
                if not self.is_closed:
                    await self._family.stay(self._end)

    def _require_open(self) -> None:
        if self.is_closed:
            raise ChannelClosedError("this end was closed")

    async def _wait(self, reply: Reply) -> None:
        # jitter keeps many who wait for the same from asking all at once
        wait_s = min(_WAIT_S, self._end.lease_s * _BEAT) * random.uniform(0.8, 1.2)  # noqa: S311 - no secret
        await self._family.bus.channel_wait(self._end, reply.mark, wait_s)


class DistributedSender(_DistributedEnd, Generic[T]):
    """The sending end."""

    def __init__(self, family: Family, codec: MessageCodec, capacity: int) -> None:
        super().__init__(family)
        self._codec = codec
        self._capacity = capacity
        self._number = 0

    async def send(self, value: T) -> None:
        """Send a message, waiting for room. Where this raises anything, the message may have been sent or not.

        Raises:
            ChannelClosedError: No receiver is left, or this end is closed; it was not sent.
            InvalidMessageError: It cannot be encoded; it was not sent.
            BusUnavailableError: The bus cannot be reached.
        """
        frame = self._codec.encode(value)
        async with self._lock:
            reply = await self._put(frame)
            while reply.word is Word.FULL:
                await self._wait(reply)
                reply = await self._put(frame)
        if reply.word is Word.CLOSED:
            raise ChannelClosedError("no receiver is left")

    async def try_send(self, value: T) -> Sent:
        """Send a message where there is room for it now; raises as `send` does where the bus is away."""
        if self.is_closed:
            return Sent.CLOSED
        frame = self._codec.encode(value)
        try:
            self._lock.acquire_nowait()
        except WouldBlock:
            return Sent.FULL  # another send of this end waits for room
        try:
            return _SENT[(await self._put(frame)).word]
        finally:
            self._lock.release()

    def clone(self) -> Self:
        """Give one more sending end."""
        self._require_open()
        return type(self)(self._family, self._codec, self._capacity)

    async def _put(self, frame: bytes) -> Reply:
        async with self._word:
            self._require_open()
            await self._family.join(self._end)
            self._number += 1  # also where the last put failed: what is sent after it is another message
            return await self._family.bus.channel_put(self._end, self._number, frame, self._capacity)


class DistributedReceiver(_DistributedEnd, Generic[T]):
    """The receiving end."""

    def __init__(self, family: Family, codec: MessageCodec) -> None:
        super().__init__(family)
        self._codec = codec

    async def recv(self) -> T:
        """Wait for the next message, and settle the one before. A cancelled wait takes none.

        Raises:
            ChannelClosedError: No sender is left and all was received, or this end is closed.
            InvalidMessageError: What came is not of the channel's kind; the next `recv` gives the one after it.
            BusUnavailableError: The bus cannot be reached.
        """
        async with self._lock:
            reply = await self._take()
            while reply.word is Word.EMPTY:
                await self._wait(reply)
                reply = await self._take()
            if reply.word is Word.CLOSED:
                raise ChannelClosedError("no sender is left, and all was received")
            return self._opened(reply)

    async def try_recv(self) -> Received[T] | Nothing:
        """Take the next message where there is one now; raises as `recv` does where the bus is away."""
        if self.is_closed:
            return Nothing.CLOSED
        try:
            self._lock.acquire_nowait()
        except WouldBlock:
            return Nothing.EMPTY  # who waits at this end already gets the next
        try:
            reply = await self._take()
            if reply.word is Word.TAKEN:
                return Received(self._opened(reply))
            return Nothing.CLOSED if reply.word is Word.CLOSED else Nothing.EMPTY
        finally:
            self._lock.release()

    def clone(self) -> Self:
        """Give one more receiving end, which competes for the messages."""
        self._require_open()
        return type(self)(self._family, self._codec)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        try:
            return await self.recv()
        except ChannelClosedError:
            raise StopAsyncIteration from None

    async def _take(self) -> Reply:
        async with self._word:
            self._require_open()
            await self._family.join(self._end)
            try:
                return await self._family.bus.channel_take(self._end, self._settled)
            except asyncio.CancelledError:
                await self._give_back()
                raise

    async def _give_back(self) -> None:
        """Go on under another name, before the former one leaves: what was taken goes back, and the rest stays."""
        former, self._end = self._end, self._family.born()
        with move_on_after(_LEAVE_S, shield=True), suppress(HeadraceError):
            await self._family.leave(former, self._settled)

    def _opened(self, reply: Reply) -> T:
        self._require_open()  # one that was closed meanwhile has given the message back
        self._settled = reply.mark
        return cast("T", self._codec.decode(reply.frame))


_SENT = {Word.PUT: Sent.SENT, Word.FULL: Sent.FULL, Word.CLOSED: Sent.CLOSED}
