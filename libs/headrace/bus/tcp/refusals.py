"""Why the tcp bus refuses what comes over a connection. A refusal is counted by its reason, and ends the connection."""

from enum import StrEnum

from headrace.errors import EnvelopeError


class Refusal(StrEnum):
    """The reasons.

    OVERSIZED: longer than the limit; nothing of it was decoded. MALFORMED: not of the form that it says it is.
    UNKNOWN_KEY: of a key id that is not known here. FORGED: its authentication code is wrong. UNKNOWN_KIND: of a kind
    that has no place there. STALE: sealed longer ago, or further ahead, than the window. REPLAYED: it came before.
    MISPLACED: one before it is missing. VERSION: its sender speaks another version of the protocol. SLOW: no handshake
    within its time. CROWDED: more handshakes at a time, or in the window, than are kept.
    """

    OVERSIZED = "oversized"
    MALFORMED = "malformed"
    UNKNOWN_KEY = "unknown_key"
    FORGED = "forged"
    UNKNOWN_KIND = "unknown_kind"
    STALE = "stale"
    REPLAYED = "replayed"
    MISPLACED = "misplaced"
    VERSION = "version"
    SLOW = "slow"
    CROWDED = "crowded"


class FrameRefusedError(EnvelopeError):
    """Something is refused; never leaves the tcp bus."""

    def __init__(self, reason: Refusal) -> None:
        self.reason = reason
        super().__init__(reason)
