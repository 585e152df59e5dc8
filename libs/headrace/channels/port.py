"""What a channel between processes needs of a bus; buses provide it.

Each method is one atomic step and may be asked again: a message that was put is put once, by its end and number, and a
take gives the same message again until it is told that the message was settled. `BusUnavailableError` means that what
was asked may or may not have happened.

An end is there from its first word on, until it leaves or has said nothing for `lease_s` seconds; what a receiver took
and did not settle goes to another then. A side that nobody was ever on is not gone, and neither are
receivers whose leases ran out: senders that fall silent have left, receivers may be late, or have an heir.
"""

from enum import StrEnum
from typing import Protocol

from msgspec import Struct


class Side(StrEnum):
    """Which way an end looks."""

    SENDERS = "senders"
    RECEIVERS = "receivers"


class Word(StrEnum):
    """What became of a put or a take; CLOSED: the other side has left for good.

    A receiver that finds nothing is told so only when no other one holds a message, which may come back.
    """

    PUT = "put"
    TAKEN = "taken"
    FULL = "full"
    EMPTY = "empty"
    CLOSED = "closed"


class Reply(Struct, frozen=True):
    """An answer.

    Attributes:
        mark: Of FULL and EMPTY, after what to wait for a change; of TAKEN, what settles it.
        frame: The message that was taken.
    """

    word: Word
    mark: str = ""
    frame: bytes = b""


class ChannelEnd(Struct, frozen=True):
    """An end as a bus knows it.

    Attributes:
        channel: The channel's name.
        id: Unique among its ends.
        lease_s: Seconds of silence after which it is taken for gone.
    """

    channel: str
    side: Side
    id: str
    lease_s: float


class ChannelBus(Protocol):
    """A bus that carries channels."""

    async def channel_join(self, end: ChannelEnd) -> None:
        """Have an end be there; nothing happens where it is."""
        ...

    async def channel_leave(self, end: ChannelEnd, settled: str) -> None:
        """Have an end be gone; what a receiver took goes to another, unless it is settled."""
        ...

    async def channel_put(self, end: ChannelEnd, number: int, frame: bytes, capacity: int) -> Reply:
        """Put a message, numbered upwards by its end, unless that many wait."""
        ...

    async def channel_take(self, end: ChannelEnd, settled: str) -> Reply:
        """Take the oldest message, having settled the one before."""
        ...

    async def channel_wait(self, end: ChannelEnd, mark: str, wait_s: float) -> None:
        """Wait until it is worth asking again after FULL or EMPTY, at most so many seconds."""
        ...
