"""Reads a return annotation: what a node sends, as a series or not, and whether it names targets itself. Pure."""

import collections.abc
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from headrace.graph.marks import read_marks
from headrace.graph.mistakes import MESSAGES, Mistake, MistakeKind, Where
from headrace.graph.options import Drop, Retry, Suspend, To
from headrace.wire.codec import is_message_type

_SERIES: tuple[object, ...] = (
    list,
    collections.abc.Sequence,
    collections.abc.Iterable,
    collections.abc.Iterator,
    collections.abc.Generator,
)
_ASYNC_SERIES: tuple[object, ...] = (
    collections.abc.AsyncIterable,
    collections.abc.AsyncIterator,
    collections.abc.AsyncGenerator,
)
CONTROL_WORDS: tuple[object, ...] = (Drop, Retry, Suspend, To)
_NO_OUTPUT = (types.NoneType, *CONTROL_WORDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Returns:
    """What a return annotation says.

    Attributes:
        outputs: The message types, in order of writing.
        is_async_series: The series is an asynchronous iterator.
        sends_anywhere: `To` is among the types.
        may_suspend: `Suspend` is.
    """

    outputs: tuple[type[Any], ...] = ()
    is_series: bool = False
    is_async_series: bool = False
    sends_anywhere: bool = False
    may_suspend: bool = False
    mistakes: tuple[Mistake, ...] = ()


def read_returns(hint: object, where: Where) -> Returns:
    """Read a resolved return annotation."""
    series: list[object] = []
    single: list[object] = []
    for member in members(hint):
        (series if _series_kind(member) else single).append(member)
    elements = [element for member in series for element in _elements(member)]
    kinds = {_series_kind(member) for member in series}
    outputs: dict[type[Any], None] = {}
    mistakes: list[Mistake] = []
    for member in (*single, *elements):
        match _message(member, where):
            case Mistake() as mistake:
                mistakes.append(mistake)
            case None:
                continue
            case message_type:
                outputs[message_type] = None
    if series:
        mistakes.extend(_mixed(member, where) for member in single if not _is_control(member))
    return Returns(
        outputs=tuple(outputs),
        is_series=bool(series),
        is_async_series="async" in kinds,
        sends_anywhere=any(member is To for member in (*single, *elements)),
        may_suspend=any(member is Suspend for member in (*single, *elements)),
        mistakes=tuple(mistakes),
    )


def spell(hint: object) -> str:
    """Write a type as its author would."""
    return hint.__qualname__.rpartition("<locals>.")[2] if isinstance(hint, type) and not get_args(hint) else str(hint)


def unalias(hint: object) -> object:
    """Give what a `type X = ...` alias stands for."""
    while type(hint).__name__ == "TypeAliasType":  # Python 3.12; in 3.11 the one of typing_extensions
        hint = getattr(hint, "__value__", None)
    return hint


def members(hint: object) -> Iterator[object]:
    """Give the members of a union, or the type itself."""
    hint = unalias(hint)
    if get_origin(hint) in (typing.Union, types.UnionType):
        for member in get_args(hint):
            yield from members(member)
    else:
        yield hint


def _elements(series: object) -> Iterator[object]:
    arguments = get_args(series)
    if not arguments:  # a bare `list`: reported as an element that is no message
        return iter((series,))
    return members(arguments[0])  # of a Generator the first is what it yields


def _series_kind(member: object) -> str:
    origin = get_origin(member) or member
    if origin in _SERIES:
        return "sync"
    return "async" if origin in _ASYNC_SERIES else ""


def _message(member: object, where: Where) -> type[Any] | Mistake | None:
    member, marks = read_marks(member)
    if marks:
        facts = {"mark": marks[0].word, "of": "the return", "why": "has no meaning; it marks a parameter"}
        return Mistake(kind=MistakeKind.MISPLACED_MARK, where=where, facts=facts)
    if _is_control(member):
        return None
    if isinstance(member, type) and is_message_type(member):
        return member
    facts = {"of": "the return", "type": spell(member), "messages": MESSAGES}
    return Mistake(kind=MistakeKind.NOT_A_MESSAGE, where=where, facts=facts)


def _is_control(member: object) -> bool:
    return any(member is word for word in _NO_OUTPUT)


def _mixed(member: object, where: Where) -> Mistake:
    return Mistake(kind=MistakeKind.MIXED_SERIES, where=where, facts={"type": spell(member)})
