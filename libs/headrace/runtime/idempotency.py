"""Idempotency keys: the same key of the same caller is the same run of a pipe, on any replica. Pure."""

from hashlib import sha256

import msgspec
from msgspec import Struct

from headrace.wire.trace import ENTROPY_BYTES

_pack = msgspec.msgpack.Encoder().encode


class Idempotency(Struct, frozen=True):
    """Names the run that a caller asks for, so that asking again does not start another.

    It holds as long as the run's record is kept.

    Attributes:
        key: The caller's own.
        fingerprint: Tells messages apart: a key comes again with the one that it came with first.
        caller: Callers share no keys.
    """

    key: str
    fingerprint: str
    caller: str = ""

    def entropy(self, pipe: str) -> bytes:
        """Give what names the run within its partition; no two keys, callers or pipes share it."""
        return sha256(_pack((self.caller, pipe, self.key))).digest()[:ENTROPY_BYTES]


def fingerprint_of(body: bytes) -> str:
    """Give the fingerprint of a JSON body: that of another which differs just in order of members or white space."""
    return sha256(msgspec.json.encode(msgspec.json.decode(body), order="sorted")).hexdigest()
