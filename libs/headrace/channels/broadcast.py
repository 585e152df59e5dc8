"""Broadcast: every receiver gets every message. Senders never wait: a receiver that is too slow misses, and is told."""

from collections import deque
from typing import Generic, Self, TypeVar

from headrace.channels.end import End, ReceivingEnd
from headrace.channels.ends import Lagged, Nothing, Received
from headrace.channels.waiters import Waiters

T = TypeVar("T")


class Ring(Generic[T]):
    """The last messages, numbered from the first ever sent.

    Attributes:
        sent: How many there ever were.
        senders: How many sending ends are open.
        receivers: How many receiving ends are.
        news: Who waits for the next.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"capacity={capacity} must be at least 1")
        self._kept: deque[T] = deque(maxlen=capacity)
        self.sent = 0
        self.senders = self.receivers = 0
        self.news = Waiters(lambda _: False)  # all are always woken, so nobody has to wake another

    @property
    def oldest(self) -> int:
        """The number of the oldest message that is kept."""
        return self.sent - len(self._kept)

    def put(self, value: T) -> None:
        """Keep a message, in place of the oldest where there is no room."""
        self._kept.append(value)
        self.sent += 1
        self.news.wake_all()

    def get(self, number: int) -> T:
        """Give a message that is kept."""
        return self._kept[number - self.oldest]

    def lose_receiver(self) -> None:
        """Count a receiving end out; with the last one, nothing needs to be kept."""
        self.receivers -= 1
        if not self.receivers:
            self._kept.clear()


class BroadcastSender(End, Generic[T]):
    """The sending end."""

    def __init__(self, ring: Ring[T]) -> None:
        super().__init__()
        self._ring = ring
        ring.senders += 1

    def send(self, value: T) -> int:
        """Send a message to all receivers there are; gives how many.

        Raises:
            ChannelClosedError: This end is closed.
        """
        self.require_open()
        if self._ring.receivers:
            self._ring.put(value)
        return self._ring.receivers

    def subscribe(self) -> "BroadcastReceiver[T]":
        """Give a receiver of what is sent from now on."""
        self.require_open()
        return BroadcastReceiver(self._ring, self._ring.sent)

    def clone(self) -> Self:
        """Give one more sending end."""
        self.require_open()
        return type(self)(self._ring)

    def _closed(self) -> None:
        self._ring.senders -= 1
        if not self._ring.senders:
            self._ring.news.wake_all()


class BroadcastReceiver(ReceivingEnd[T]):
    """A receiving end, which gets every message.

    `recv` and iteration raise `ChannelLaggedError` once where messages were missed, and go on after it.
    """

    def __init__(self, ring: Ring[T], at: int) -> None:
        super().__init__()
        self._ring = ring
        self._next = at
        self.waiters = ring.news
        ring.receivers += 1

    def take(self) -> Received[T] | Lagged | Nothing:
        """Take the next message, or say why there is none, or how many were missed."""
        ring = self._ring
        if self.is_closed:
            return Nothing.CLOSED
        if self._next < ring.oldest:
            missed, self._next = ring.oldest - self._next, ring.oldest
            return Lagged(missed)
        if self._next < ring.sent:
            self._next += 1
            return Received(ring.get(self._next - 1))
        return Nothing.EMPTY if ring.senders else Nothing.CLOSED

    async def try_recv(self) -> Received[T] | Lagged | Nothing:
        """Take the next message where there is one now."""
        return self.take()

    def clone(self) -> Self:
        """Give one more receiver, which gets what this one has yet to get."""
        self.require_open()
        return type(self)(self._ring, self._next)

    def _closed(self) -> None:
        self._ring.lose_receiver()
        self.waiters.wake_at(self.bells)


def broadcast(kind: type[T], *, capacity: int = 64) -> tuple[BroadcastSender[T], BroadcastReceiver[T]]:  # noqa: ARG001 - for type checkers
    """Make a broadcast channel.

    Args:
        kind: Of the messages; for type checkers.
        capacity: Messages that are kept for the slowest receiver; it misses what is older.
    """
    ring: Ring[T] = Ring(capacity)
    return BroadcastSender(ring), BroadcastReceiver(ring, 0)
