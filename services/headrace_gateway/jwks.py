"""The keys that sign tokens: a JSON Web Key Set (RFC 7517) from a file or a URL, fetched again as it rotates."""

import asyncio
import json
import urllib.request
from collections.abc import Callable
from pathlib import Path

import jwt
import structlog

_KEPT_S = 300.0  # a key that was taken out of the set is let in no longer than this
_AGAIN_S = 5.0  # between fetches for keys that are not known, which anybody may name
_TIMEOUT_S = 5.0
_LIMIT_BYTES = 1024 * 1024
_URLS = ("https://", "http://")
_log = structlog.get_logger("headrace.gateway")


class KeysUnavailableError(Exception):
    """There are no keys to check a token with."""


class Jwks:
    """The keys of one set.

    Args:
        source: A path, or a URL.
        now_s: A clock that never goes back.
    """

    def __init__(self, source: str, now_s: Callable[[], float]) -> None:
        self._source = source
        self._now_s = now_s
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._stale_s = self._again_s = now_s()
        self._fetching = asyncio.Lock()

    async def key(self, key_id: str | None) -> jwt.PyJWK | None:
        """Give the key of an id; None where the set has none.

        A set that cannot be fetched again leaves the keys as they are. Who names a known key never waits for one that
        names an unknown.

        Raises:
            KeysUnavailableError: The set has never been read.
        """
        if key_id not in self._keys or self._now_s() >= self._stale_s:
            await self._refresh(key_id)
        if not self._keys:
            raise KeysUnavailableError
        return self._keys.get(key_id)

    async def _refresh(self, key_id: str | None) -> None:
        is_known = key_id in self._keys
        if is_known and self._fetching.locked():
            return
        async with self._fetching:
            now_s = self._now_s()
            if now_s < self._again_s or (key_id in self._keys and now_s < self._stale_s):
                return
            self._again_s = now_s + _AGAIN_S
            try:
                fetched = await asyncio.to_thread(_read, self._source)
                self._keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(json.loads(fetched)).keys}
                self._stale_s = now_s + _KEPT_S
            except (OSError, ValueError, jwt.PyJWTError) as error:
                _log.warning("jwks_unreadable", source=self._source, error=type(error).__name__)


def _read(source: str) -> bytes:
    if not source.startswith(_URLS):
        return Path(source).read_bytes()
    with urllib.request.urlopen(source, timeout=_TIMEOUT_S) as response:  # noqa: S310 - the scheme is checked above
        body: bytes = response.read(_LIMIT_BYTES + 1)
    if len(body) > _LIMIT_BYTES:
        raise ValueError("a key set is not that long")
    return body
