"""What differs between two messages or two states: a path, and what was and is there. Pure."""

from collections.abc import Iterator
from typing import Any, cast

import msgspec
from msgspec import Struct
from pydantic import BaseModel

MISSING = "<missing>"


class Change(Struct, frozen=True):
    """One difference.

    Attributes:
        path: Fields, keys and places, such as `.lines[2].price`.
        before: A value that is JSON; `MISSING` for none.
        after: As `before`.
    """

    path: str
    before: object
    after: object

    def __str__(self) -> str:
        return f"{self.path}: {self.before!r} -> {self.after!r}"


def changes(before: object, after: object) -> tuple[Change, ...]:
    """Compare two messages, states or plain values, field by field, in their order."""
    return tuple(_changes("", _plain(before), _plain(after)))


def _plain(value: object) -> Any:  # noqa: ANN401 - values that are JSON
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return msgspec.to_builtins(value)


def _changes(path: str, before: object, after: object) -> Iterator[Change]:
    whole = Change(path, before, after)
    if isinstance(before, dict) and isinstance(after, dict):
        yield from _of_fields(path, cast("dict[str, object]", before), cast("dict[str, object]", after))
    elif isinstance(before, list) and isinstance(after, list):
        yield from _of_places(path, cast("list[object]", before), cast("list[object]", after))
    elif before != after:
        yield whole


def _of_fields(path: str, before: dict[str, object], after: dict[str, object]) -> Iterator[Change]:
    for key in dict.fromkeys((*before, *after)):
        yield from _changes(f"{path}.{key}", before.get(key, MISSING), after.get(key, MISSING))


def _of_places(path: str, before: list[object], after: list[object]) -> Iterator[Change]:
    for place in range(max(len(before), len(after))):
        old = before[place] if place < len(before) else MISSING
        new = after[place] if place < len(after) else MISSING
        yield from _changes(f"{path}[{place}]", old, new)
