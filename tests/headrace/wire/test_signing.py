"""Keyrings: their bounds, and what they sign and verify."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.errors import SettingsError, SignatureError
from headrace.wire.signing import MAX_KEY_ID_BYTES, MIN_SECRET_BYTES, SIGNATURE_BYTES, Keyring

SECRET = b"0123456789abcdef"


@given(
    key_id=st.text(min_size=1).filter(lambda text: 0 < len(text.encode("utf-8", "replace")) <= MAX_KEY_ID_BYTES),
    secret=st.binary(min_size=MIN_SECRET_BYTES),
    payload=st.binary(),
)
def test_what_a_keyring_signs_it_verifies(key_id: str, secret: bytes, payload: bytes) -> None:
    keyring = Keyring({key_id: secret}, key_id)
    frame = keyring.sign(payload)
    start = 1 + frame[0]

    keyring.verify(frame[1:start], frame[start : start + SIGNATURE_BYTES], memoryview(payload))

    assert frame[1:start] == key_id.encode()
    assert frame[start + SIGNATURE_BYTES :] == payload


@pytest.mark.parametrize("key_id", ["", "k" * (MAX_KEY_ID_BYTES + 1), "é" * 128])
def test_a_key_id_has_1_to_255_bytes(key_id: str) -> None:
    with pytest.raises(SettingsError, match=r"^setting 'signing_keys' has a key id of other than 1 to 255 bytes$"):
        Keyring({key_id: SECRET}, key_id)


def test_a_secret_has_at_least_16_bytes_and_the_refusal_does_not_show_it() -> None:
    with pytest.raises(SettingsError) as caught:
        Keyring({"new": SECRET[:-1]}, "new")

    assert str(caught.value) == "setting 'signing_keys' has a secret under 16 bytes for 'new'"


def test_the_signing_key_is_one_of_the_keys() -> None:
    with pytest.raises(SettingsError, match="names 'old' as the signing key but has no such key"):
        Keyring({"new": SECRET}, "old")
    with pytest.raises(SettingsError, match="names '' as the signing key but has no such key"):
        Keyring({}, "")


def test_a_missing_an_unknown_and_a_wrong_signature_are_told_apart() -> None:
    keyring = Keyring({"new": SECRET}, "new")
    payload = memoryview(b"payload")

    for key_id, signature, why in (
        (b"", b"", "it is not signed"),
        (b"old", b"x" * SIGNATURE_BYTES, "its signing key is unknown here"),
        (b"new", b"x" * SIGNATURE_BYTES, "its signature is wrong"),
        (b"new", b"", "its signature is wrong"),
    ):
        with pytest.raises(SignatureError) as caught:
            keyring.verify(key_id, signature, payload)
        assert caught.value.why == why
