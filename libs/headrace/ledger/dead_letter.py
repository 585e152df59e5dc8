"""Dead letters: an item given up on, with why and where from. Pure."""

import msgspec
from msgspec import Struct

from headrace.errors import Failure


class DeadLetter(Struct, frozen=True, omit_defaults=True):
    """An item given up on.

    Attributes:
        frames: The item as it stood in the stream, byte for byte, decodable or not.
        trace_id: Its run; empty where the item could not be decoded.
        attempt: Which call of the node failed for good.
        deliveries: Times the item had been handed to a worker.
        first_ms: When it first failed, in Unix milliseconds; `at_ms` where that was the only time.
        at_ms: When it was given up on, in Unix milliseconds.
        plan: The plan version of the worker that gave up.
    """

    frames: tuple[bytes, ...]
    group: str
    failure: Failure
    trace_id: str
    attempt: int
    deliveries: int
    first_ms: int
    at_ms: int
    plan: str


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(DeadLetter).decode
