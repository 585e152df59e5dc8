"""Frames of the tcp bus: how they are sealed, cut out of a stream of bytes, and checked. Pure.

| bytes | what |
| ---: | --- |
| 4 | the length of all that follows |
| 1 | the kind |
| 8 | the number in its direction of its connection, from 0 |
| 8 | when it was sealed, in Unix milliseconds |
| n | the payload |
| 32 | HMAC-SHA256 of all above |

A frame is looked at in this order: length, authentication code, kind, time, number; its payload is decoded after that.
Each direction of a connection has a key of its own, made for that connection alone, and takes each number once and in
order. So a frame is not taken twice, nor out of place, nor on another connection, however long ago it was sent.
"""

import hmac
from enum import IntEnum
from struct import Struct

from headrace.bus.tcp.refusals import FrameRefusedError, Refusal
from headrace.wire.signing import SIGNATURE_BYTES

_LENGTH = Struct(">I")
_HEAD = Struct(">IBQQ")
_LEAST_BYTES = _HEAD.size - _LENGTH.size + SIGNATURE_BYTES
OVERHEAD_BYTES = _LENGTH.size + _LEAST_BYTES
"""What a frame has beside its payload."""


class Kind(IntEnum):
    """What a frame carries."""

    HELLO = 1
    WELCOME = 2
    CALLS = 3
    ANSWERS = 4


class Sealer:
    """Makes the frames of one direction.

    Args:
        key: Of this direction alone.
    """

    def __init__(self, key: bytes, kind: Kind) -> None:
        self._key = key
        self._kind = kind
        self._number = 0

    def seal(self, *parts: bytes, now_ms: int) -> bytes:
        """Make the next frame of a payload, given in parts."""
        length = _LEAST_BYTES + sum(map(len, parts))
        signed = b"".join((_HEAD.pack(length, self._kind, self._number, now_ms), *parts))
        self._number += 1
        return signed + hmac.digest(self._key, signed, "sha256")


class Opener:
    """Checks the frames of one direction.

    Args:
        key: Of this direction alone.
        kind: The only kind that has a place there.
        window_ms: How far a frame's time may be from ours.
    """

    def __init__(self, key: bytes, kind: Kind, *, window_ms: int) -> None:
        self._key = key
        self._kind = kind
        self._window_ms = window_ms
        self._number = 0

    def open(self, frame: bytes, *, now_ms: int) -> memoryview:
        """Give the payload of the next frame.

        Raises:
            FrameRefusedError: It is to be refused; then nothing that comes after it may be taken.
        """
        view = memoryview(frame)
        signed = view[:-SIGNATURE_BYTES]
        if not hmac.compare_digest(hmac.digest(self._key, signed, "sha256"), view[-SIGNATURE_BYTES:]):
            raise FrameRefusedError(Refusal.FORGED)
        _, kind, number, sealed_ms = _HEAD.unpack_from(frame)
        if kind != self._kind:
            raise FrameRefusedError(Refusal.UNKNOWN_KIND)
        if abs(now_ms - sealed_ms) > self._window_ms:
            raise FrameRefusedError(Refusal.STALE)
        if number != self._number:
            raise FrameRefusedError(Refusal.REPLAYED if number < self._number else Refusal.MISPLACED)
        self._number += 1
        return signed[_HEAD.size :]


class Cutter:
    """Cuts what comes over a connection into frames.

    Args:
        limit_bytes: The longest frame that is waited for; a longer one is refused when its first bytes are there.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self._bytes = bytearray()
        self._at = 0

    def feed(self, data: bytes) -> None:
        """Add what has come."""
        if self._at:
            del self._bytes[: self._at]
            self._at = 0
        self._bytes += data

    def cut(self) -> bytes | None:
        """Give the next frame; None where it has not come in full.

        Raises:
            FrameRefusedError: It is too long, or too short to be one.
        """
        there = len(self._bytes) - self._at
        if there < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._bytes, self._at)
        size = _LENGTH.size + length
        if size > self.limit_bytes:
            raise FrameRefusedError(Refusal.OVERSIZED)
        if length < _LEAST_BYTES:
            raise FrameRefusedError(Refusal.MALFORMED)
        if there < size:
            return None
        start, self._at = self._at, self._at + size
        return bytes(memoryview(self._bytes)[start : self._at])


def payload_of(frame: bytes) -> memoryview:
    """Give the payload of a frame that nobody has checked: to see which key it says that it is sealed with."""
    return memoryview(frame)[_HEAD.size : -SIGNATURE_BYTES]
