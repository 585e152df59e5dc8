"""JSON Web Tokens as credentials (RFC 7519, RFC 9068): who holds one, from the claims of an issuer that is trusted.

Signature, algorithm, `iss`, `aud` and `exp` are checked. `sub` names the caller, `scope` (a text of words) or `scp`
(a list) its scopes; words that are none of ours are left alone.
"""

from typing import Any, cast

import jwt
from msgspec import Struct

from headrace_gateway.caller import Caller
from headrace_gateway.jwks import Jwks

_LEEWAY_S = 10.0  # between the issuer's clock and ours
ASYMMETRIC = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"})
"""Algorithms whose keys may be told to everybody; of any other a key set would hold the secret itself."""

_REQUIRED = ("exp", "iss", "aud", "sub")


class Trust(Struct, frozen=True):
    """Whose tokens are taken.

    Attributes:
        algorithms: Those of public keys; what a token says of itself chooses only among these.
    """

    issuer: str
    audience: str
    algorithms: tuple[str, ...]


class Tokens:
    """Reads tokens of one issuer."""

    def __init__(self, keys: Jwks, trust: Trust) -> None:
        self._keys = keys
        self._trust = trust

    async def caller_of(self, token: str) -> Caller | None:
        """Give whose token this is; None where it is not to be trusted.

        Raises:
            KeysUnavailableError: It cannot be checked now.
        """
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") not in self._trust.algorithms:
                return None  # before its key is looked for
            key = await self._keys.key(header.get("kid"))
            return _caller(self._claims(token, key)) if key is not None else None
        except jwt.PyJWTError:
            return None

    def _claims(self, token: str, key: jwt.PyJWK) -> dict[str, Any]:
        return jwt.decode(
            token,
            key,
            algorithms=self._trust.algorithms,
            audience=self._trust.audience,
            issuer=self._trust.issuer,
            leeway=_LEEWAY_S,
            options={"require": list(_REQUIRED)},
        )


def _caller(claims: dict[str, Any]) -> Caller:
    scope = claims.get("scope", claims.get("scp", ""))
    words = scope.split() if isinstance(scope, str) else scope
    known = cast("list[object]", words) if isinstance(words, list) else []
    return Caller(f"sub:{claims['sub']}", frozenset(word for word in known if isinstance(word, str)))
