"""Events of calls as a run's record keeps them: what `Told` carries and `RunEvent` gives back. Pure.

Values that nodes emit stand in them as JSON, as callers get them.
"""

import msgspec
from msgspec import Struct

from headrace.errors import EnvelopeError, Failure


class CallEvent(Struct, frozen=True, omit_defaults=True):
    """What a call tells of itself.

    Attributes:
        kind: `node_started`, `node_ended`, `node_failed`, `emitted` or `suspended`.
        time: Unix time in seconds.
        run_id: The run that it happened in: of a sub-pipeline its own, else the trace_id.
        attempt: 1, and one more each time the call failed.
        value: Emitted, as JSON.
        unsent: The type of an emitted value that has no JSON, or more than is kept.
        retry_in_s: Of a failure; left out where it is for good.
        until: A signal's name, or seconds.
        worker: Of the first start of a hop, which worker it is on.
        deliveries: Of that, how often its entry has been handed out.
        queued_s: Of that, seconds since its entry came to its group's stream.
    """

    kind: str
    time: float
    node: str
    group: str
    invocation_id: str
    run_id: str
    attempt: int
    value: bytes = b""
    unsent: str = ""
    duration_s: float | None = None
    outputs: int | None = None
    failure: Failure | None = None
    retry_in_s: float | None = None
    until: str | float = ""
    worker: str = ""
    deliveries: int = 0
    queued_s: float | None = None


encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(CallEvent).decode


def decode(blob: bytes) -> CallEvent:
    """Decode an event.

    Raises:
        EnvelopeError: The bytes are none.
    """
    try:
        return _decode(blob)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise EnvelopeError("the payload is no run event") from error
