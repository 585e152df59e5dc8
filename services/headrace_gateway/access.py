"""Access: finds out who asks, by an API key or a token, and refuses whoever cannot be told."""

import asyncio
from collections.abc import Mapping

from headrace_gateway.api_keys import ApiKeys
from headrace_gateway.caller import Caller
from headrace_gateway.jwks import KeysUnavailableError
from headrace_gateway.refusals import unauthorized, unavailable
from headrace_gateway.tokens import Tokens

KEY_HEADER = "x-api-key"
_BEARER = "bearer "


class Access:
    """Who may ask at all.

    Args:
        api_keys: None where keys are not taken.
        tokens: None where tokens are not taken.
    """

    def __init__(self, api_keys: ApiKeys | None = None, tokens: Tokens | None = None) -> None:
        self._api_keys = api_keys
        self._tokens = tokens
        self.schemes = tuple(
            scheme for scheme, is_taken in (("Bearer", tokens), ("ApiKey", api_keys)) if is_taken is not None
        )

    async def caller(self, headers: Mapping[str, str]) -> Caller:
        """Give who asks.

        Args:
            headers: Of the request, by any case.

        Raises:
            ProblemError: Nobody that is known.
        """
        key, authorization = headers.get(KEY_HEADER), headers.get("authorization", "")
        if self._api_keys is not None and key is not None:
            found = self._api_keys.caller_of(key, asyncio.get_running_loop().time())
        elif self._tokens is not None and authorization[: len(_BEARER)].lower() == _BEARER:
            found = await self._holder(self._tokens, authorization[len(_BEARER) :].strip())
        else:
            raise unauthorized(self.schemes, "no credentials")
        if found is None:
            raise unauthorized(self.schemes, "the credentials are not valid", is_invalid=True)
        return found

    async def _holder(self, tokens: Tokens, token: str) -> Caller | None:
        try:
            return await tokens.caller_of(token)
        except KeysUnavailableError:
            raise unavailable("keys_unavailable", "the keys that tokens are checked with cannot be read") from None
