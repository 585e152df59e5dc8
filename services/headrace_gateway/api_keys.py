"""API keys: who holds which, from a file of hashes that is read again when it changes: no restart to rotate one.

The file is TOML, a table a caller:

    [ada]
    sha256 = ["9f86d081884c7d65..."]  # hexadecimal, of whole keys; two of them while one takes over from the other
    scopes = ["run:greetings", "read:*"]

A key is `NAME.SECRET`. Its secret is random and long, so that a plain hash of it cannot be turned back; `headrace key`
makes one.
"""

import os
import secrets
import tomllib
from collections.abc import Mapping
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path

import msgspec
import structlog
from msgspec import Struct

from headrace.errors import SettingsError
from headrace_gateway.caller import Caller, scopes_of

SETTING = "api_keys_file"
_SECRET_BYTES = 32
_DIGEST_HEX = 64
_LOOK_EVERY_S = 1.0  # the longest that a key which was taken out is let in
_NOBODY = (sha256(b"").digest(),)
_log = structlog.get_logger("headrace.gateway")

_Mark = tuple[int, int, int]


class Holder(Struct, frozen=True):
    """A caller, and the hashes of its keys."""

    caller: Caller
    digests: tuple[bytes, ...]


class _Entry(Struct, forbid_unknown_fields=True):
    sha256: list[str]
    scopes: list[str]


class ApiKeys:
    """The keys of one file.

    Args:
        path: The file.

    Raises:
        SettingsError: It cannot be read, or is malformed; what it holds is not told.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mark = _mark(path)
        self._holders = read_keys(path)
        self._looked_s = 0.0

    def caller_of(self, key: str, now_s: float) -> Caller | None:
        """Give whose key this is, in the same time for all that are not of a name; None for nobody's.

        Args:
            now_s: By a clock that never goes back; the file is looked at once a second.
        """
        if now_s - self._looked_s >= _LOOK_EVERY_S:
            self._looked_s = now_s
            self._read_again()
        name, _, _ = key.partition(".")
        holder = self._holders.get(name)
        digest = sha256(key.encode()).digest()
        matches = [compare_digest(digest, known) for known in (holder.digests if holder else _NOBODY)]
        return holder.caller if holder is not None and any(matches) else None

    def _read_again(self) -> None:
        """Read a file that has changed; one that is broken or gone leaves the keys as they are, and is told."""
        try:
            mark = _mark(self._path)
            if mark == self._mark:
                return
            self._mark = mark
            self._holders = read_keys(self._path)
        except SettingsError as error:
            _log.warning("api_keys_unreadable", why=str(error))
        else:
            _log.info("api_keys_read", callers=len(self._holders))


def read_keys(path: Path) -> Mapping[str, Holder]:
    """Read a file of keys; raises as `ApiKeys`."""
    try:
        entries = msgspec.convert(tomllib.loads(path.read_text()), dict[str, _Entry])
        return {name: _holder(name, entry) for name, entry in entries.items()}
    except OSError as error:
        raise _unreadable(path, os.strerror(error.errno or 0)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise _unreadable(path, "it is no TOML") from None  # the parser's own words may quote a line
    except (msgspec.ValidationError, ValueError) as error:
        raise _unreadable(path, str(error)) from error


def new_key(name: str) -> tuple[str, str]:
    """Make a key; gives it, and the hash that stands in the file."""
    key = f"{name}.{secrets.token_urlsafe(_SECRET_BYTES)}"
    return key, sha256(key.encode()).hexdigest()


def _holder(name: str, entry: _Entry) -> Holder:
    if "." in name:
        raise ValueError("a name has a dot, with which the secret begins")
    if any(len(digest) != _DIGEST_HEX for digest in entry.sha256):
        raise ValueError(f"a hash of '{name}' is not of {_DIGEST_HEX} hexadecimal digits")
    return Holder(Caller(f"key:{name}", scopes_of(entry.scopes)), tuple(map(bytes.fromhex, entry.sha256)))


def _mark(path: Path) -> _Mark:
    try:
        stat = path.stat()
    except OSError as error:
        raise _unreadable(path, os.strerror(error.errno or 0)) from error
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def _unreadable(path: Path, why: str) -> SettingsError:
    return SettingsError(SETTING, f"names '{path}', which cannot be read: {why}")
