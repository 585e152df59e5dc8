"""What the drawn pipeline is made of at run time: messages, and functions with the signatures that a pipe reads."""

from collections.abc import Callable
from typing import Any

import msgspec
from tests.soak.drawn import MODULUS

from headrace import Context

Body = Callable[..., Any]


def made_of(generic: Any, argument: Any) -> Any:
    """Give `generic[argument]`; in brackets it would be a type to the checker, which knows none of run time."""
    return generic[argument]


def message(name: str) -> type[Any]:
    """Make a message type."""
    return msgspec.defstruct(name, [("number", int), ("key", str), ("value", int)], frozen=True)


def following(message_type: type[Any], before: Any, value: int) -> Any:
    """Make the message that follows another one of its run."""
    return message_type(before.number, before.key, value % MODULUS)


def with_signature(call: Body, name: str, takes: dict[str, Any], gives: Any) -> Body:
    """Give a function of named parameters that calls one of any; what it is annotated with is what the pipe reads."""
    named = ", ".join(takes)
    passed = ", ".join(f"{each}={each}" for each in takes)
    made: dict[str, Any] = {"call": call}
    exec(f"async def {name}({named}, ctx):\n    return await call(ctx, {passed})\n", made)  # noqa: S102 - names are ours
    function: Body = made[name]
    function.__annotations__ = {**takes, "ctx": Context, "return": gives}
    function.__module__ = call.__module__
    return function
