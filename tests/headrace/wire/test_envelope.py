"""Envelopes and frames: round trip, signatures, limits, and bytes that are none of ours."""

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from headrace.errors import EnvelopeError, EnvelopeTooLargeError, SignatureError
from headrace.wire.envelope import Envelope, Framing
from headrace.wire.signing import SIGNATURE_BYTES, Keyring

OLD, NEW = b"the old secret, 16+", b"the new secret, 16+"
ENVELOPE = Envelope(
    id="1", trace_id="0" * 32, pipe="pipe", node="node", slot="msg", type="Ask", body=b"\x81\xa1a\x01", plan="v1"
)
TEXT = st.text()
COUNT = st.integers(0, 2**63 - 1)
ENVELOPES = st.builds(
    Envelope,
    **dict.fromkeys(("id", "trace_id", "pipe", "node", "slot", "type", "plan", "scope", "key"), TEXT),
    **dict.fromkeys(("origin_run_id", "traceparent"), TEXT),
    body=st.binary(),
    deadline_ms=COUNT,
    attempt=COUNT,
    lineage=st.lists(COUNT).map(tuple),
    tickets=st.lists(TEXT).map(tuple),
    visits=st.dictionaries(TEXT, COUNT),
)
UNSIGNED, SIGNED = Framing(), Framing(Keyring({"new": NEW}, "new"))
WHOLE = UNSIGNED.seal(msgspec.structs.replace(ENVELOPE, traceparent="tp"))  # all its 17 parts are written
DEEP = WHOLE[:3] + b"\x12" + WHOLE[4:] + b"\x91" * 100_000  # and an 18th, nested without end


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
@example(b"\x03new" + b"x" * SIGNATURE_BYTES)
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
            with pytest.raises(SignatureError):
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
        Framing(Keyring({"new": NEW}, "new"), max_frame_bytes=10).open(b"\x03old" + b"x" * 100)


def test_a_refusal_shows_nothing_of_the_frame() -> None:
    for payload in (b"a secret", msgspec.msgpack.encode({"a": "secret"}), msgspec.msgpack.encode(["secret"])):
        with pytest.raises(EnvelopeError) as caught:
            UNSIGNED.open(UNSIGNED.wrap(payload))
        assert str(caught.value) == "envelope refused: the payload is no envelope"


def test_an_envelope_from_a_newer_release_with_more_headers_is_read() -> None:
    sent = msgspec.structs.replace(ENVELOPE, traceparent="00-1-2-03")
    parts = msgspec.msgpack.decode(bytes(UNSIGNED.unwrap(UNSIGNED.seal(sent))))

    assert UNSIGNED.open(UNSIGNED.wrap(msgspec.msgpack.encode([*parts, "a later header"]))) == sent
