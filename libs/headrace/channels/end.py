"""What all ends within a process share: a count of their clones, contexts, iteration, and the way to wait."""

from abc import ABC, abstractmethod
from itertools import count
from types import TracebackType
from typing import Generic, Self, TypeVar

from headrace.channels.ends import Lagged, Nothing, Received
from headrace.channels.waiters import Bells, Waiters
from headrace.errors import ChannelClosedError, ChannelLaggedError
from headrace.kernel.loop import turn

T = TypeVar("T")

_OURS = "this end was closed"
_NO_SENDER = "no sender is left, and all was received"
_TURNS = 64  # messages that pass without a wait before others get a turn, and a cancellation is seen


class Turns:
    """Counts what went without waiting, so that a busy channel leaves the event loop to others now and then."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = _TURNS

    async def take(self) -> None:
        """Take one; every so many it yields."""
        self._left -= 1
        if not self._left:
            self._left = _TURNS
            await turn()


class End(ABC):
    """An end of a channel.

    Attributes:
        bells: What rings for those who wait here.
    """

    def __init__(self) -> None:
        self.bells: Bells = set()
        self.is_closed = False

    def close(self) -> None:
        """Close it; idempotent."""
        if not self.is_closed:
            self.is_closed = True
            self._closed()

    async def aclose(self) -> None:
        """Close it, as `close` does."""
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def require_open(self) -> None:
        """Refuse to do anything with an end that is closed."""
        if self.is_closed:
            raise ChannelClosedError(_OURS)

    @abstractmethod
    def _closed(self) -> None:
        """Tell the channel."""


class ReceivingEnd(End, Generic[T]):
    """An end that messages come out of.

    Attributes:
        waiters: Who waits for a message here.
    """

    waiters: Waiters

    def __init__(self) -> None:
        super().__init__()
        self._turns = Turns()

    @abstractmethod
    def take(self) -> Received[T] | Lagged | Nothing:
        """Take the next message in one step, or say why there is none."""

    async def recv(self) -> T:
        """Wait for the next message. A cancelled wait takes none.

        Raises:
            ChannelClosedError: No sender is left and all was received, or this end is closed.
            ChannelLaggedError: Of a broadcast: messages were missed.
        """
        await self._turns.take()
        for look in count():
            self.require_open()
            match self.take():
                case Received(value):
                    return value
                case Lagged(missed):
                    raise ChannelLaggedError(missed)
                case Nothing.CLOSED:
                    raise ChannelClosedError(_NO_SENDER)
                case Nothing.EMPTY if look % 2:
                    await self.waiters.wait(self.bells)
                case Nothing.EMPTY:
                    await turn()  # a third of what a wait costs, and where the capacity is small mostly enough
        raise AssertionError  # count() does not end

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        try:
            return await self.recv()
        except ChannelClosedError:
            raise StopAsyncIteration from None
