"""The handshake of the tcp bus: each side proves that it has the key, and both make the keys of their connection. Pure.

The client's hello names its key and carries a nonce; the broker's welcome carries another, and is sealed with a key
that is made of the hello. Both keys of the connection, one a direction, are made of hello and welcome together: so
they hold for this connection alone, and whoever replays a hello gets a connection on which it can say nothing.
"""

from struct import Struct

import msgspec

from headrace.bus.tcp.frames import OVERHEAD_BYTES, Kind, Opener, Sealer, payload_of
from headrace.bus.tcp.refusals import FrameRefusedError, Refusal
from headrace.errors import SignatureError
from headrace.wire.signing import MAX_KEY_ID_BYTES, Keyring

NONCE_BYTES = 32
LIFE_BYTES = 16
VERSION_BYTES = 8
_REST = Struct(f">{NONCE_BYTES}s{VERSION_BYTES}s")
_WELCOME = Struct(f">{NONCE_BYTES}s{LIFE_BYTES}s")
LIMIT_BYTES = OVERHEAD_BYTES + 1 + MAX_KEY_ID_BYTES + max(_REST.size, _WELCOME.size)
"""The longest frame of a handshake: of a peer that has proved nothing yet no more is kept."""


class Hello(msgspec.Struct, frozen=True):
    """A client's hello.

    Attributes:
        frame: As it is sent.
        key_id: The key that its connection goes by.
        nonce: New for each hello.
        version: Of the protocol.
    """

    frame: bytes
    key_id: bytes
    nonce: bytes
    version: bytes


class Welcome(msgspec.Struct, frozen=True):
    """A broker's welcome; `life` tells one life of a broker from the next, which knows nothing of it."""

    frame: bytes
    life: bytes


def make_hello(keyring: Keyring, nonce: bytes, version: bytes, *, now_ms: int) -> Hello:
    """Make a hello with the key that signs here."""
    key_id = keyring.signing_id
    sealer = Sealer(keyring.derive(key_id, b"tcp hello"), Kind.HELLO)
    frame = sealer.seal(bytes((len(key_id),)), key_id, _REST.pack(nonce, version), now_ms=now_ms)
    return Hello(frame, key_id, nonce, version)


def read_hello(keyring: Keyring, frame: bytes, *, now_ms: int, window_ms: int) -> Hello:
    """Check a hello; whether its nonce is new is for who remembers them to say.

    Raises:
        FrameRefusedError: It is to be refused.
    """
    unchecked = payload_of(frame)
    key_id = bytes(unchecked[1 : 1 + unchecked[0]]) if unchecked else b""
    key = _derived(keyring, key_id, b"tcp hello")
    payload = Opener(key, Kind.HELLO, window_ms=window_ms).open(frame, now_ms=now_ms)
    rest = payload[1 + len(key_id) :]
    if len(rest) != _REST.size:
        raise FrameRefusedError(Refusal.MALFORMED)
    nonce, version = _REST.unpack(rest)
    return Hello(frame, key_id, nonce, version)


def make_welcome(keyring: Keyring, hello: Hello, nonce: bytes, life: bytes, *, now_ms: int) -> Welcome:
    """Make the welcome to a hello that was checked."""
    sealer = Sealer(keyring.derive(hello.key_id, b"tcp welcome" + hello.frame), Kind.WELCOME)
    return Welcome(sealer.seal(_WELCOME.pack(nonce, life), now_ms=now_ms), life)


def read_welcome(keyring: Keyring, hello: Hello, frame: bytes, *, now_ms: int, window_ms: int) -> Welcome:
    """Check the welcome to a hello of ours.

    Raises:
        FrameRefusedError: It is to be refused.
    """
    key = _derived(keyring, hello.key_id, b"tcp welcome" + hello.frame)
    payload = Opener(key, Kind.WELCOME, window_ms=window_ms).open(frame, now_ms=now_ms)
    if len(payload) != _WELCOME.size:
        raise FrameRefusedError(Refusal.MALFORMED)
    _, life = _WELCOME.unpack(payload)
    return Welcome(frame, life)


def connection_keys(keyring: Keyring, hello: Hello, welcome: Welcome) -> tuple[bytes, bytes]:
    """Make the keys of a connection: the one of calls and the one of answers."""
    both = hello.frame + welcome.frame
    return keyring.derive(hello.key_id, b"tcp calls" + both), keyring.derive(hello.key_id, b"tcp answers" + both)


def _derived(keyring: Keyring, key_id: bytes, purpose: bytes) -> bytes:
    try:
        return keyring.derive(key_id, purpose)
    except SignatureError as error:
        raise FrameRefusedError(Refusal.UNKNOWN_KEY) from error
