"""What differs between two messages or two states: a path, and what was and is there. Pure."""

from collections.abc import Iterator
from typing import Any, cast

import msgspec
from msgspec import Struct
from pydantic import BaseModel
from pydantic_core import to_jsonable_python

MISSING = "<missing>"
_ABSENT = object()  # unlike a text that reads as MISSING


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
    """Compare two messages, states or plain values: fields in their order, keys and fields of models sorted."""
    return tuple(_changes("", _plain(before), _plain(after)))


def _plain(value: object) -> Any:  # noqa: ANN401 - values that are JSON
    try:
        return msgspec.to_builtins(value, order="deterministic", enc_hook=_encoded)  # equal sets have one order
    except TypeError:  # members or keys of several kinds have none
        return msgspec.to_builtins(value, enc_hook=_encoded)


def _encoded(value: object) -> object:
    # not as JSON yet, where a set has its own order already
    return value.model_dump() if isinstance(value, BaseModel) else to_jsonable_python(value)


def _shown(value: object) -> object:
    return MISSING if value is _ABSENT else value


def _changes(path: str, before: object, after: object) -> Iterator[Change]:
    whole = Change(path, _shown(before), _shown(after))
    if isinstance(before, dict) and isinstance(after, dict):
        yield from _of_fields(path, cast("dict[str, object]", before), cast("dict[str, object]", after))
    elif isinstance(before, list) and isinstance(after, list):
        yield from _of_places(path, cast("list[object]", before), cast("list[object]", after))
    elif before != after or isinstance(before, bool) != isinstance(after, bool):  # True is 1 for Python, not in JSON
        yield whole


def _of_fields(path: str, before: dict[str, object], after: dict[str, object]) -> Iterator[Change]:
    for key in dict.fromkeys((*before, *after)):
        yield from _changes(f"{path}.{key}", before.get(key, _ABSENT), after.get(key, _ABSENT))


def _of_places(path: str, before: list[object], after: list[object]) -> Iterator[Change]:
    for place in range(max(len(before), len(after))):
        old = before[place] if place < len(before) else _ABSENT
        new = after[place] if place < len(after) else _ABSENT
        yield from _changes(f"{path}[{place}]", old, new)
