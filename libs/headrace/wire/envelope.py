"""The envelope: one message with its headers, and the frame, its bytes on a bus. Pure; any layer may use it.

A frame is `trace_id (16 bytes), key id length (1 byte), key id, signature (32 bytes where there is a key id),
envelope in msgpack`; a key's state has no trace_id in front. Buses carry frames untouched, so an envelope is encoded
once and its signature holds from emitter to consumer.

The trace_id in front is in clear, so that the run of a frame that cannot be opened is known and can be ended. It is
not signed by itself: `open` compares it with the signed one.
"""

from functools import lru_cache

import msgspec
from msgspec import Struct

from headrace.errors import EnvelopeError, EnvelopeTooLargeError, SignatureError
from headrace.wire.signing import SIGNATURE_BYTES, Keyring
from headrace.wire.trace import is_trace_id

TRACE_BYTES = 16
DEFAULT_MAX_FRAME_BYTES = 8 * 1024 * 1024  # a Redis entry of more stalls its server for everybody


class Envelope(Struct, frozen=True, array_like=True, omit_defaults=True):
    """A message with its headers.

    Attributes:
        id: Unique in its run: the parent's id and the position among its outputs, so a repeated hop repeats its ids.
        trace_id: The run; 32 lowercase hexadecimal digits.
        pipe: The pipe's name.
        node: The target node; empty for a signal.
        slot: The target's message parameter, or the signal's name; empty for the opening of a gather.
        type: The message type's name in the plan.
        body: The message, encoded by `MessageCodec`.
        plan: The version fingerprint of the emitter's plan.
        deadline_ms: Unix time in milliseconds after which the work is not done; 0 for none.
        attempt: 1, and one more each time the node's code failed.
        scope: The scope that it belongs to, "" for the run's own; else the ids of the scopes opened, outermost first,
            with "/" between.
        lineage: Emission positions since the run's start; it orders a gather.
        tickets: Lanes in which the run took a ticket at ingress; given back when the run ends.
        key: The lane's key, empty where the target node is not keyed.
        visits: Times this line of descent has entered each node that bounds a loop (`max_visits`).
        origin_run_id: The run that a sub-pipeline serves, empty where there is none.
        traceparent: W3C trace context of the caller, empty where there is none.
        failed_ms: When the call that this asks for first failed, in Unix milliseconds; 0 where it has not.
        keeps_events: Whether the run keeps what its nodes tell.
    """

    id: str
    trace_id: str
    pipe: str
    node: str
    slot: str
    type: str
    body: bytes
    plan: str
    deadline_ms: int = 0
    attempt: int = 1
    scope: str = ""
    lineage: tuple[int, ...] = ()
    tickets: tuple[str, ...] = ()
    key: str = ""
    visits: dict[str, int] = {}
    origin_run_id: str = ""
    traceparent: str = ""
    failed_ms: int = 0
    keeps_events: bool = False


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Envelope).decode


class Framing:
    """Turns envelopes into frames and back, with one set of keys and one size limit.

    Args:
        keyring: Signs and verifies; None for unsigned frames, which then refuses signed ones as of an unknown key.
        max_frame_bytes: The largest frame written or read.
    """

    def __init__(self, keyring: Keyring | None = None, *, max_frame_bytes: int = DEFAULT_MAX_FRAME_BYTES) -> None:
        self._keyring = keyring
        self._max_frame_bytes = max_frame_bytes

    def seal(self, envelope: Envelope) -> bytes:
        """Encode and sign an envelope.

        Raises:
            EnvelopeTooLargeError: The frame would be over the limit.
            EnvelopeError: The trace_id is none.
        """
        return self._bounded(_prefix(envelope.trace_id) + self._signed(_encode(envelope)))

    def open(self, frame: bytes) -> Envelope:
        """Verify and decode a frame; size and signature are checked before anything is decoded.

        Raises:
            EnvelopeTooLargeError: The frame is over the limit.
            SignatureError: The signature is missing, of an unknown key, or wrong.
            EnvelopeError: The bytes are no envelope, or the trace_id in front is not the envelope's.
        """
        try:
            envelope = _decode(self._payload(frame, TRACE_BYTES))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise EnvelopeError("the payload is no envelope") from error
        if envelope.trace_id != frame[:TRACE_BYTES].hex():
            raise EnvelopeError("the run named in front of it is another")
        return envelope

    def wrap(self, payload: bytes) -> bytes:
        """Make the frame of any other payload, such as a key's state; raises `EnvelopeTooLargeError`."""
        return self._bounded(self._signed(payload))

    def unwrap(self, frame: bytes) -> memoryview:
        """Give the payload of a frame that `wrap` made, verified; raises as `open`."""
        return self._payload(frame, 0)

    def _signed(self, payload: bytes) -> bytes:
        return b"\0" + payload if self._keyring is None else self._keyring.sign(payload)

    def _bounded(self, frame: bytes) -> bytes:
        if len(frame) > self._max_frame_bytes:
            raise EnvelopeTooLargeError(len(frame), self._max_frame_bytes)
        return frame

    def _payload(self, frame: bytes, at: int) -> memoryview:
        """Give what is signed in a frame, whose signed part begins at a byte."""
        self._bounded(frame)
        if len(frame) <= at:
            raise EnvelopeError("the frame is empty" if not frame else "the frame is cut short")
        id_length = frame[at]
        id_start = at + 1
        id_end = id_start + id_length
        start = id_end + (SIGNATURE_BYTES if id_length else 0)
        payload = memoryview(frame)[start:]
        if self._keyring is not None:
            self._keyring.verify(frame[id_start:id_end], frame[id_end:start], payload)
        elif id_length:
            raise SignatureError("it is signed, and this process has no signing keys")
        return payload


def trace_of(frame: bytes) -> str:
    """Read the run that a frame names in clear, verified by nothing; "" where it is too short to name one."""
    return frame[:TRACE_BYTES].hex() if len(frame) >= TRACE_BYTES else ""


@lru_cache(maxsize=256)  # outputs of one hop, and of those beside it, name few runs
def _prefix(trace_id: str) -> bytes:
    if not is_trace_id(trace_id):
        raise EnvelopeError("its trace_id is not 32 lowercase hexadecimal digits")
    return bytes.fromhex(trace_id)
