"""Watch: the latest value of something, and a way to wait until it changes. What comes in between is not kept."""

from typing import Generic, Self, TypeVar

from headrace.channels.end import End, ReceivingEnd
from headrace.channels.ends import Nothing, Received
from headrace.channels.waiters import Waiters

T = TypeVar("T")


class Watched(Generic[T]):
    """The value, and how often it was set."""

    def __init__(self, value: T) -> None:
        self.value = value
        self.version = 0
        self.senders = 0
        self.news = Waiters(lambda _: False)  # all are always woken, so nobody has to wake another


class WatchSender(End, Generic[T]):
    """The end that sets the value."""

    def __init__(self, watched: Watched[T]) -> None:
        super().__init__()
        self._watched = watched
        watched.senders += 1

    def send(self, value: T) -> None:
        """Set the value.

        Raises:
            ChannelClosedError: This end is closed.
        """
        self.require_open()
        self._watched.value = value
        self._watched.version += 1
        self._watched.news.wake_all()

    def borrow(self) -> T:
        """Look at the value as it is."""
        return self._watched.value

    def subscribe(self) -> "WatchReceiver[T]":
        """Give a receiver for which the value as it is now is not new."""
        self.require_open()
        return WatchReceiver(self._watched, self._watched.version)

    def clone(self) -> Self:
        """Give one more end that sets the value."""
        self.require_open()
        return type(self)(self._watched)

    def _closed(self) -> None:
        self._watched.senders -= 1
        if not self._watched.senders:
            self._watched.news.wake_all()


class WatchReceiver(ReceivingEnd[T]):
    """The end that sees the value; `recv` waits for one that it has not seen."""

    def __init__(self, watched: Watched[T], seen: int) -> None:
        super().__init__()
        self._watched = watched
        self._seen = seen
        self.waiters = watched.news

    def borrow(self) -> T:
        """Look at the value as it is; it counts as not seen if it was not."""
        return self._watched.value

    async def changed(self) -> None:
        """Wait until the value is one that was not seen, and count it as seen.

        Raises:
            ChannelClosedError: No sender is left and the last value was seen, or this end is closed.
        """
        await self.recv()

    def take(self) -> Received[T] | Nothing:
        """Take the value if it was not seen."""
        if self.is_closed:
            return Nothing.CLOSED
        if self._seen != self._watched.version:
            self._seen = self._watched.version
            return Received(self._watched.value)
        return Nothing.EMPTY if self._watched.senders else Nothing.CLOSED

    async def try_recv(self) -> Received[T] | Nothing:
        """Take the value if it was not seen."""
        return self.take()

    def clone(self) -> Self:
        """Give one more receiver, which has seen what this one has."""
        self.require_open()
        return type(self)(self._watched, self._seen)

    def _closed(self) -> None:
        self.waiters.wake_at(self.bells)


def watch(initial: T) -> tuple[WatchSender[T], WatchReceiver[T]]:
    """Make a watch of a value; its first value is not new to the receiver."""
    watched = Watched(initial)
    return WatchSender(watched), WatchReceiver(watched, 0)
