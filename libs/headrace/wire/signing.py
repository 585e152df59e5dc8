"""Signing of frames: HMAC-SHA256 with a key id, so that keys rotate while envelopes are under way. Pure."""

import hmac
from collections.abc import Mapping

from headrace.errors import SettingsError, SignatureError

SIGNATURE_BYTES = 32
MIN_SECRET_BYTES = 16
MAX_KEY_ID_BYTES = 255
_PURPOSE = b"headrace key for: "  # no payload that is signed begins like this


class Keyring:
    """The signing keys of a deployment: one signs, all verify.

    To rotate: add the new key to every service, then make it the signing one, then remove the old key when the
    envelopes it signed are gone.

    Args:
        secrets: Secret by key id; a secret has at least 16 bytes, an id 1 to 255 bytes in UTF-8.
        signing_id: The key that signs.
        setting: Where they come from, for errors.

    Attributes:
        signing_id: As given, in UTF-8.

    Raises:
        SettingsError: A key id or a secret is out of bounds, or the signing key is not among the keys.
    """

    def __init__(self, secrets: Mapping[str, bytes], signing_id: str, *, setting: str = "signing_keys") -> None:
        for key_id, secret in secrets.items():
            if not 0 < len(key_id.encode()) <= MAX_KEY_ID_BYTES:
                raise SettingsError(setting, f"has a key id of other than 1 to {MAX_KEY_ID_BYTES} bytes")
            if len(secret) < MIN_SECRET_BYTES:
                raise SettingsError(setting, f"has a secret under {MIN_SECRET_BYTES} bytes for '{key_id}'")
        if signing_id not in secrets:
            raise SettingsError(setting, f"names '{signing_id}' as the signing key but has no such key")
        self._secrets = {key_id.encode(): secret for key_id, secret in secrets.items()}
        signing = signing_id.encode()
        self.signing_id = signing
        self._secret = self._secrets[signing]
        self._prefix = bytes((len(signing),)) + signing

    def sign(self, payload: bytes) -> bytes:
        """Give the frame of a payload: key id, signature, payload."""
        return self._prefix + hmac.digest(self._secret, payload, "sha256") + payload

    def verify(self, key_id: bytes, signature: bytes, payload: memoryview) -> None:
        """Check a signature in constant time.

        Raises:
            SignatureError: It is missing, of an unknown key, or wrong.
        """
        if not key_id:
            raise SignatureError("it is not signed")
        secret = self._secrets.get(key_id)
        if secret is None:
            raise SignatureError("its signing key is unknown here")
        if not hmac.compare_digest(hmac.digest(secret, payload, "sha256"), signature):
            raise SignatureError("its signature is wrong")

    def derive(self, key_id: bytes, purpose: bytes) -> bytes:
        """Make a key of one of the secrets, for one purpose alone.

        Raises:
            SignatureError: The key is unknown.
        """
        secret = self._secrets.get(key_id)
        if secret is None:
            raise SignatureError("its signing key is unknown here")
        return hmac.digest(secret, _PURPOSE + purpose, "sha256")
