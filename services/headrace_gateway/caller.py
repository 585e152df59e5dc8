"""Who asks, and what that one may do. Pure.

A scope is `action:pipe`, such as `run:greetings`; `*` stands for every pipe, and the action `admin` for every action.
"""

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct

from headrace_gateway.refusals import forbidden

_ANY_PIPE = "*"
_EVERYTHING = "admin:*"


class Action(StrEnum):
    """What can be done with a pipe and its runs."""

    RUN = "run"
    READ = "read"
    CANCEL = "cancel"
    SIGNAL = "signal"
    ADMIN = "admin"


class Caller(Struct, frozen=True):
    """Who asks.

    Attributes:
        name: Unique among all that may ask; empty where access is not controlled.
        scopes: Those that are none of ours give nothing.
    """

    name: str
    scopes: frozenset[str]

    def may(self, action: Action, pipe: str) -> bool:
        """Tell whether it may do something with a pipe or its runs."""
        if _EVERYTHING in self.scopes:
            return True
        return any(f"{each}:{where}" in self.scopes for each in (action, Action.ADMIN) for where in (pipe, _ANY_PIPE))

    def require(self, action: Action, pipe: str) -> None:
        """Refuse what it may not do.

        Raises:
            ProblemError: It may not.
        """
        if not self.may(action, pipe):
            raise forbidden(f"{action}:{pipe}")


def scopes_of(words: Iterable[str]) -> frozenset[str]:
    """Take the scopes of a caller.

    Raises:
        ValueError: One is of no form that is known here; it says which.
    """
    scopes = frozenset(words)
    for scope in sorted(scopes):
        action, colon, pipe = scope.partition(":")
        if action not in set(Action) or not colon or not pipe:
            raise ValueError(f"'{scope}' is no scope; one is ACTION:PIPE, of {', '.join(Action)}, and * for any pipe")
    return scopes


ANYBODY = Caller("", frozenset({_EVERYTHING}))
"""Whoever asks where access is not controlled: may do everything."""
