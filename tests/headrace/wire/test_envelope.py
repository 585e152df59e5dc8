"""Envelopes and frames: round trip, signatures, limits, and bytes that are none of ours."""

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from headrace.errors import EnvelopeError, EnvelopeTooLargeError, SignatureError
from headrace.wire.envelope import TRACE_BYTES, Envelope, Framing, trace_of
from headrace.wire.signing import SIGNATURE_BYTES, Keyring

OLD, NEW = b"the old secret, 16+", b"the new secret, 16+"
ENVELOPE = Envelope(
    id="1", trace_id="0" * 32, pipe="pipe", node="node", slot="msg", type="Ask", body=b"\x81\xa1a\x01", plan="v1"
)
TEXT = st.text()
COUNT = st.integers(0, 2**63 - 1)
ENVELOPES = st.builds(
    Envelope,
    trace_id=st.binary(min_size=16, max_size=16).map(bytes.hex),
    **dict.fromkeys(("id", "pipe", "node", "slot", "type", "plan", "scope", "key"), TEXT),
    **dict.fromkeys(("origin_run_id", "traceparent"), TEXT),
    body=st.binary(),
    deadline_ms=COUNT,
    attempt=COUNT,
    lineage=st.lists(COUNT).map(tuple),
    tickets=st.lists(TEXT).map(tuple),
    visits=st.dictionaries(TEXT, COUNT),
    failed_ms=COUNT,
)
UNSIGNED, SIGNED = Framing(), Framing(Keyring({"new": NEW}, "new"))
WHOLE = UNSIGNED.seal(msgspec.structs.replace(ENVELOPE, traceparent="tp", failed_ms=1))  # all its 18 parts are written
DEEP = WHOLE[:19] + b"\x13" + WHOLE[20:] + b"\x91" * 100_000  # and a 19th, nested without end


@given(ENVELOPES)
def test_an_envelope_comes_out_of_its_frame_as_it_went_in(envelope: Envelope) -> None:
    for framing in (UNSIGNED, SIGNED):
        assert framing.open(framing.seal(envelope)) == envelope


@given(st.binary())
def test_any_payload_comes_out_of_its_frame_as_it_went_in(payload: bytes) -> None:
    for framing in (UNSIGNED, SIGNED):
        assert bytes(framing.unwrap(framing.wrap(payload))) == payload


@given(st.binary())
@example(b"")
@example(b"\0")
@example(b"\xff")
@example(WHOLE.replace(b"\xa2tp", b"\xa2\xff\xfe"))
@example(DEEP)
@example(bytes(16))
@example(bytes(16) + b"\x03new" + b"x" * SIGNATURE_BYTES)
def test_bytes_that_are_no_frame_of_ours_raise_an_envelope_error_and_nothing_else(frame: bytes) -> None:
    for framing in (UNSIGNED, SIGNED):
        with pytest.raises(EnvelopeError):
            framing.open(frame)


@given(ENVELOPES, st.data())
def test_a_frame_cut_short_or_made_longer_is_refused(envelope: Envelope, data: st.DataObject) -> None:
    frame = SIGNED.seal(envelope)
    cut = data.draw(st.integers(0, len(frame) - 1))

    for changed in (frame[:cut], frame + b"\0"):
        with pytest.raises(EnvelopeError):
            SIGNED.open(changed)


def test_a_signed_frame_changed_at_any_byte_is_refused() -> None:
    frame = SIGNED.seal(ENVELOPE)

    for position in range(len(frame)):
        for flip in (0x01, 0x80, 0xFF):
            changed = bytearray(frame)
            changed[position] ^= flip
            with pytest.raises(SignatureError if position >= TRACE_BYTES else EnvelopeError):
                SIGNED.open(bytes(changed))


def test_a_frame_of_an_unknown_key_is_refused() -> None:
    with pytest.raises(SignatureError, match=r"^envelope refused: its signing key is unknown here$"):
        Framing(Keyring({"old": OLD}, "old")).open(SIGNED.seal(ENVELOPE))


def test_an_unsigned_frame_is_refused_where_there_are_keys() -> None:
    with pytest.raises(SignatureError, match=r"^envelope refused: it is not signed$"):
        SIGNED.open(UNSIGNED.seal(ENVELOPE))


def test_a_signed_frame_is_refused_where_there_are_no_keys() -> None:
    with pytest.raises(SignatureError, match=r"^envelope refused: it is signed, and this process has no signing keys$"):
        UNSIGNED.open(SIGNED.seal(ENVELOPE))


def test_while_keys_rotate_the_old_one_verifies_and_the_new_one_signs() -> None:
    before = Framing(Keyring({"old": OLD}, "old"))
    prepared = Framing(Keyring({"old": OLD, "new": NEW}, "old"))
    during = Framing(Keyring({"old": OLD, "new": NEW}, "new"))

    assert during.open(before.seal(ENVELOPE)) == ENVELOPE
    assert prepared.open(during.seal(ENVELOPE)) == ENVELOPE
    assert SIGNED.open(during.seal(ENVELOPE)) == ENVELOPE
    with pytest.raises(SignatureError):
        SIGNED.open(before.seal(ENVELOPE))


def test_a_frame_of_just_the_limit_passes_and_one_byte_more_is_refused_on_both_ways() -> None:
    size = len(SIGNED.seal(ENVELOPE))
    keyring = Keyring({"new": NEW}, "new")
    fits, small = Framing(keyring, max_frame_bytes=size), Framing(keyring, max_frame_bytes=size - 1)

    assert fits.open(fits.seal(ENVELOPE)) == ENVELOPE
    for refused in (lambda: small.seal(ENVELOPE), lambda: small.open(fits.seal(ENVELOPE))):
        with pytest.raises(EnvelopeTooLargeError) as caught:
            refused()
        assert (caught.value.size_bytes, caught.value.limit_bytes) == (size, size - 1)
        assert str(caught.value) == f"envelope refused: {size} bytes, the limit is {size - 1} bytes"


def test_an_oversized_frame_is_refused_before_its_signature_is_looked_at() -> None:
    with pytest.raises(EnvelopeTooLargeError):
        Framing(Keyring({"new": NEW}, "new"), max_frame_bytes=10).open(bytes(16) + b"\x03old" + b"x" * 100)


def test_a_refusal_shows_nothing_of_the_frame() -> None:
    for payload in (b"a secret", msgspec.msgpack.encode({"a": "secret"}), msgspec.msgpack.encode(["secret"])):
        with pytest.raises(EnvelopeError) as caught:
            UNSIGNED.open(bytes(16) + UNSIGNED.wrap(payload))
        assert str(caught.value) == "envelope refused: the payload is no envelope"


def test_an_envelope_from_a_newer_release_with_more_headers_is_read() -> None:
    sent = msgspec.structs.replace(ENVELOPE, failed_ms=7)
    frame = UNSIGNED.seal(sent)
    parts = msgspec.msgpack.decode(frame[TRACE_BYTES + 1 :])
    newer = frame[:TRACE_BYTES] + UNSIGNED.wrap(msgspec.msgpack.encode([*parts, "a later header"]))

    assert UNSIGNED.open(newer) == sent


@given(ENVELOPES)
def test_a_frame_names_its_run_in_clear_whoever_signed_it(envelope: Envelope) -> None:
    for framing in (UNSIGNED, SIGNED):
        assert trace_of(framing.seal(envelope)) == envelope.trace_id


def test_a_frame_that_cannot_be_opened_names_its_run_as_long_as_its_first_bytes_are_there() -> None:
    frame = SIGNED.seal(ENVELOPE)

    for damaged in (frame[:16], frame[:40], frame[:-1], frame + b"x" * 1000):
        with pytest.raises(EnvelopeError):
            SIGNED.open(damaged)
        assert trace_of(damaged) == ENVELOPE.trace_id
    for short in (b"", frame[:15]):
        assert trace_of(short) == ""


def test_a_frame_under_the_name_of_another_run_is_refused() -> None:
    for framing in (UNSIGNED, SIGNED):
        with pytest.raises(EnvelopeError, match=r"^envelope refused: the run named in front of it is another$"):
            framing.open(b"\x01" * TRACE_BYTES + framing.seal(ENVELOPE)[TRACE_BYTES:])


@pytest.mark.parametrize("trace_id", ["", "0" * 31, "0" * 33, "g" * 32, "A" * 32, "00 " * 16, "\u0660" * 32])
def test_an_envelope_of_no_trace_id_is_not_sealed(trace_id: str) -> None:
    with pytest.raises(EnvelopeError, match=r"its trace_id is not 32 lowercase hexadecimal digits$"):
        UNSIGNED.seal(msgspec.structs.replace(ENVELOPE, trace_id=trace_id))
