"""Keeps secrets out of the log: of this project's services, of libraries and of users' nodes alike.

Two kinds are known: fields that are called like a secret, at any depth; and what stands in a text in the form of one,
the password of a URL and the credentials of an Authorization header.
"""

import re
from collections.abc import Iterable, Mapping
from typing import cast

from structlog.typing import EventDict, WrappedLogger

MASK = "***"
SECRET_NAMES = frozenset(
    {
        "access_token",
        "api_key",
        "apikey",
        "authorization",
        "client_secret",
        "cookie",
        "credentials",
        "passwd",
        "password",
        "private_key",
        "proxy_authorization",
        "refresh_token",
        "secret",
        "set_cookie",
        "signing_key",
        "signing_keys",
        "token",
        "x_api_key",
    }
)
_DEPTH = 4  # of mappings and lists in each other; deeper ones are written as they are
_PASSWORD = re.compile(r"(\w[\w+.-]*://[^\s/:@]*:)[^\s/@]+(?=@)")
_CREDENTIALS = re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=-]{8,}", re.IGNORECASE)


class Redaction:
    """Masks secrets in events: a structlog processor.

    Args:
        names: Of further fields; case counts no more than whether words are joined by "-" or "_".
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = SECRET_NAMES | {_folded(name) for name in names}

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        for name, value in event.items():
            event[name] = self._masked(name, value, _DEPTH)
        return event

    def _masked(self, name: object, value: object, depth: int) -> object:
        if isinstance(name, str) and value is not None and _folded(name) in self._names:
            return MASK
        match value:
            case str():
                return masked(value)
            case Mapping() if depth:
                mapping = cast("Mapping[object, object]", value)
                return {inner: self._masked(inner, each, depth - 1) for inner, each in mapping.items()}
            case list() if depth:
                return [self._masked("", each, depth - 1) for each in cast("list[object]", value)]
            case tuple() if depth and type(cast("object", value)) is tuple:  # one with names has its own form
                return tuple(self._masked("", each, depth - 1) for each in cast("tuple[object, ...]", value))
            case _:
                return value


def masked(text: str) -> str:
    """Mask what has the form of a secret in a text."""
    return _CREDENTIALS.sub(rf"\1 {MASK}", _PASSWORD.sub(rf"\1{MASK}", text))


def _folded(name: str) -> str:
    return name.lower().replace("-", "_")
