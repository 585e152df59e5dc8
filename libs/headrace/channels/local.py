"""The channel within a process: a bounded queue with several senders and several receivers."""

from collections import deque
from itertools import count
from typing import Generic, Self, TypeVar

from headrace.channels.end import End, ReceivingEnd, Turns
from headrace.channels.ends import Nothing, Received, Sent
from headrace.channels.waiters import Bells, Waiters
from headrace.errors import ChannelClosedError
from headrace.kernel.loop import turn

T = TypeVar("T")

_NO_RECEIVER = "no receiver is left"


class Queue(Generic[T]):
    """What the ends of one channel share.

    Attributes:
        senders: How many sending ends are open.
        receivers: How many receiving ends are.
        room: Who waits to send.
        messages: Who waits to receive.
    """

    __slots__ = ("_capacity", "_held", "messages", "receivers", "room", "senders")

    def __init__(self, capacity: float) -> None:
        self._capacity = capacity
        self._held: deque[T] = deque()
        self.senders = self.receivers = 0
        self.room = Waiters(lambda promised: len(self._held) + promised < self._capacity)
        self.messages = Waiters(lambda promised: len(self._held) > promised)

    def put(self, value: T) -> Sent:
        """Take a message in, where somebody is left to receive it, and there is room that nobody was promised."""
        if not self.receivers:
            return Sent.CLOSED
        if len(self._held) + self.room.promised >= self._capacity:
            return Sent.FULL
        self._held.append(value)
        self.messages.wake()
        return Sent.SENT

    def take(self) -> Received[T] | Nothing:
        """Give the oldest message out, where nobody was promised it."""
        if len(self._held) > self.messages.promised:
            value = self._held.popleft()
            self.room.wake()
            if not self.senders and not self._held:
                self.messages.wake_all()
            return Received(value)
        return Nothing.EMPTY if self.senders or self._held else Nothing.CLOSED

    def lose_sender(self, bells: Bells) -> None:
        """Count a sending end out, and who waits there; with the last one, nothing more comes."""
        self.senders -= 1
        if bells:
            self.room.wake_at(bells)
        if not self.senders:
            self.messages.wake_all()

    def lose_receiver(self, bells: Bells) -> None:
        """Count a receiving end out, and who waits there; with the last one, what is held is for nobody."""
        self.receivers -= 1
        if bells:
            self.messages.wake_at(bells)
        if not self.receivers:
            self._held.clear()
            self.room.wake_all()


class LocalSender(End, Generic[T]):
    """The sending end."""

    def __init__(self, queue: Queue[T]) -> None:
        super().__init__()
        self._queue = queue
        self._turns = Turns()
        queue.senders += 1

    async def send(self, value: T) -> None:
        """Send a message, waiting for room.

        Raises:
            ChannelClosedError: No receiver is left, or this end is closed.
        """
        await self._turns.take()
        for look in count():
            self.require_open()
            match self._queue.put(value):
                case Sent.SENT:
                    return
                case Sent.CLOSED:
                    raise ChannelClosedError(_NO_RECEIVER)
                case Sent.FULL if look % 2:
                    await self._queue.room.wait(self.bells)
                case Sent.FULL:
                    await turn()  # as in `recv`

    async def try_send(self, value: T) -> Sent:
        """Send a message where there is room for it now."""
        return Sent.CLOSED if self.is_closed else self._queue.put(value)

    def clone(self) -> Self:
        """Give one more sending end."""
        self.require_open()
        return type(self)(self._queue)

    def _closed(self) -> None:
        self._queue.lose_sender(self.bells)


class LocalReceiver(ReceivingEnd[T]):
    """The receiving end."""

    def __init__(self, queue: Queue[T]) -> None:
        super().__init__()
        self._queue = queue
        self.waiters = queue.messages
        queue.receivers += 1

    def take(self) -> Received[T] | Nothing:
        """Take the next message, or say why there is none."""
        return Nothing.CLOSED if self.is_closed else self._queue.take()

    async def try_recv(self) -> Received[T] | Nothing:
        """Take the next message where there is one now."""
        return self.take()

    def clone(self) -> Self:
        """Give one more receiving end, which competes for the messages."""
        self.require_open()
        return type(self)(self._queue)

    def _closed(self) -> None:
        self._queue.lose_receiver(self.bells)
