"""The ends of a channel, in one process or between many: what every channel promises.

A channel carries each message to exactly one of its receivers, in the order of sending. It is closed for a side when
the last clone of the other side's end is closed: receivers still get what was sent before.
"""

from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

T_contra = TypeVar("T_contra", contravariant=True)
T_co = TypeVar("T_co", covariant=True)


class Sent(StrEnum):
    """What `try_send` did: the message is on its way, or it is not, because no room or nobody is there."""

    SENT = "sent"
    FULL = "full"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Received(Generic[T_co]):
    """A message that `try_recv` took."""

    value: T_co


@dataclass(frozen=True, slots=True)
class Lagged:
    """Messages that a receiver of a broadcast was too slow for."""

    missed: int


class Nothing(StrEnum):
    """Why `try_recv` took nothing: there is nothing now, or nothing will ever come."""

    EMPTY = "empty"
    CLOSED = "closed"


class Sender(Protocol[T_contra]):
    """The end that messages go into."""

    async def send(self, value: T_contra) -> None:
        """Send a message, waiting for room.

        Raises:
            ChannelClosedError: No receiver is left, or this end is closed.
        """
        ...

    async def try_send(self, value: T_contra) -> Sent:
        """Send a message where there is room for it now."""
        ...

    def clone(self) -> Self:
        """Give one more end of the same channel, to be closed by itself.

        Raises:
            ChannelClosedError: This end is closed.
        """
        ...

    async def aclose(self) -> None:
        """Close this end; idempotent."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Receiver(Protocol[T_co]):
    """The end that messages come out of; iterate over it until no sender is left and all is received."""

    async def recv(self) -> T_co:
        """Wait for the next message. A cancelled wait takes none.

        Raises:
            ChannelClosedError: No sender is left and all was received, or this end is closed.
        """
        ...

    async def try_recv(self) -> "Received[T_co] | Nothing":
        """Take the next message where there is one now."""
        ...

    def clone(self) -> Self:
        """Give one more end of the same channel, which competes for its messages.

        Raises:
            ChannelClosedError: This end is closed.
        """
        ...

    async def aclose(self) -> None:
        """Close this end; idempotent."""
        ...

    def __aiter__(self) -> Self: ...

    async def __anext__(self) -> T_co: ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
