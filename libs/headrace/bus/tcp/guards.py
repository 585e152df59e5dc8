"""The bounds of what a broker takes."""

from msgspec import Struct

DEFAULT_MAX_FRAME_BYTES = 64 * 1024 * 1024
_MS = 1000


class Guards(Struct, frozen=True):
    """What a broker takes.

    Attributes:
        window_s: How far a frame's time may be from ours. Both ends have the same clock, so this is for a process that
            was stopped for a moment.
        max_frame_bytes: The longest frame: eight of the largest envelopes in one commit.
        handshake_s: Seconds that a connection has for its handshake.
    """

    window_s: float = 30.0
    max_frame_bytes: int = DEFAULT_MAX_FRAME_BYTES
    handshake_s: float = 5.0

    @property
    def window_ms(self) -> int:
        """The window in milliseconds."""
        return int(self.window_s * _MS)


DEFAULT_GUARDS = Guards()
