"""The envelope: one message with its headers, and the frame, its bytes on a bus. Pure; any layer may use it.

A frame is `key id length (1 byte), key id, signature (32 bytes where there is a key id), envelope in msgpack`.
Buses carry frames untouched, so an envelope is encoded once and its signature holds from emitter to consumer.
"""

import msgspec
from msgspec import Struct

from headrace.errors import EnvelopeError, EnvelopeTooLargeError, SignatureError
from headrace.wire.signing import SIGNATURE_BYTES, Keyring

DEFAULT_MAX_FRAME_BYTES = 8 * 1024 * 1024  # a Redis entry of more stalls its server for everybody


class Envelope(Struct, frozen=True, array_like=True, omit_defaults=True):
    """A message with its headers.

    Attributes:
        id: Unique in its run: the parent's id and the position among its outputs, so a repeated hop repeats its ids.
        trace_id: The run.
        pipe: The pipe's name.
        node: The target node.
        slot: The target's message parameter.
        type: The message type's name in the plan.
        body: The message, encoded by `MessageCodec`.
        plan: The version fingerprint of the emitter's plan.
        deadline_ms: Unix time in milliseconds after which the work is not done; 0 for none.
        attempt: 1, and one more each time the node's code failed.
        scope: The scope whose in-flight count holds this envelope; the run itself is "".
        lineage: Emission positions since the run's start; it orders a gather.
        tickets: Lanes in which the run took a ticket at ingress; given back when the run ends.
        key: The lane's key, empty where the target node is not keyed.
        visits: Times this line of descent has entered each node that bounds a loop (`max_visits`).
        origin_run_id: The run that a sub-pipeline serves, empty where there is none.
        traceparent: W3C trace context of the caller, empty where there is none.
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
        """
        return self.wrap(_encode(envelope))

    def open(self, frame: bytes) -> Envelope:
        """Verify and decode a frame; size and signature are checked before anything is decoded.

        Raises:
            EnvelopeTooLargeError: The frame is over the limit.
            SignatureError: The signature is missing, of an unknown key, or wrong.
            EnvelopeError: The bytes are no envelope.
        """
        try:
            return _decode(self.unwrap(frame))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise EnvelopeError("the payload is no envelope") from error

    def wrap(self, payload: bytes) -> bytes:
        """Make the frame of any payload, an envelope or a key's state; raises as `seal`."""
        frame = b"\0" + payload if self._keyring is None else self._keyring.sign(payload)
        if len(frame) > self._max_frame_bytes:
            raise EnvelopeTooLargeError(len(frame), self._max_frame_bytes)
        return frame

    def unwrap(self, frame: bytes) -> memoryview:
        """Give the payload of a frame, verified; raises as `open`."""
        if len(frame) > self._max_frame_bytes:
            raise EnvelopeTooLargeError(len(frame), self._max_frame_bytes)
        if not frame:
            raise EnvelopeError("the frame is empty")
        id_length = frame[0]
        start = 1 + id_length + (SIGNATURE_BYTES if id_length else 0)
        payload = memoryview(frame)[start:]
        if self._keyring is not None:
            self._keyring.verify(frame[1 : 1 + id_length], frame[1 + id_length : start], payload)
        elif id_length:
            raise SignatureError("it is signed, and this process has no signing keys")
        return payload
