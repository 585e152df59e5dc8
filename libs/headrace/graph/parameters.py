"""Reads one parameter of a node: a message, and how many of which types, or something else. Pure."""

import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar, get_args, get_origin

from headrace.graph.marks import Mark, Role, read_marks
from headrace.graph.message_types import type_name
from headrace.graph.mistakes import MESSAGES, Mistake, MistakeKind, Where
from headrace.graph.options import ContextMarker
from headrace.graph.plan import SlotKind
from headrace.graph.returns import CONTROL_WORDS, members, spell, unalias
from headrace.wire.codec import is_message_type


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter of a node, read.

    Attributes:
        types: What it takes; more than one just where it takes messages.
        kind: How it takes messages.
    """

    name: str
    role: Role
    types: tuple[Any, ...]
    kind: SlotKind = SlotKind.ONE

    @property
    def type(self) -> Any:  # noqa: ANN401 - what is injected may be any type form
        """What it takes, where that is one type."""
        return self.types[0]

    @property
    def type_name(self) -> str:
        """Its message types as a plan names them."""
        return " | ".join(map(type_name, self.types))


def read_parameter(name: str, hint: object, where: Where) -> Parameter | Mistake:
    """Read a parameter by its resolved annotation."""
    inner, marks = read_marks(unalias(hint))
    if marks:
        return _marked(name, inner, marks, where)
    if _is_context(inner):
        return Parameter(name=name, role=Role.CONTEXT, types=(inner,))
    if _is_message(inner):
        return Parameter(name=name, role=Role.MESSAGE, types=(inner,))
    facts = {"of": spoken(name), "type": spell(inner), "messages": f"{MESSAGES}; write {_right_mark(inner)}"}
    return Mistake(kind=MistakeKind.NOT_A_MESSAGE, where=where, facts=facts)


def spoken(name: str) -> str:
    """Name a parameter in a sentence."""
    return f"parameter '{name}'"


def _marked(name: str, inner: object, marks: tuple[Mark, ...], where: Where) -> Parameter | Mistake:
    mark = marks[0]
    held = tuple(_held(mark, inner))
    why = "exclude each other; keep one" if len(marks) > 1 else _misplaced(mark, held)
    if why:
        facts = {"mark": " and ".join(each.word for each in marks), "of": spoken(name), "why": why}
        return Mistake(kind=MistakeKind.MISPLACED_MARK, where=where, facts=facts)
    return Parameter(name=name, role=mark.role, types=held, kind=mark.kind)


def _held(mark: Mark, inner: object) -> Iterator[Any]:
    """Give the types that a mark is written with: its own None and its list are not among them."""
    if mark.role in (Role.INJECTED, Role.STATE):
        yield inner
        return
    if mark.kind is SlotKind.GATHER and get_origin(inner) is list:
        (inner,) = get_args(inner)
    may_be_none = mark.role is Role.SIGNAL or mark.kind is SlotKind.PARTIAL
    for member in members(inner):
        bare, inner_marks = read_marks(member)
        if not (may_be_none and member is types.NoneType):
            yield member if inner_marks else bare


def _misplaced(mark: Mark, held: tuple[Any, ...]) -> str:
    """Say what is wrong with the types that a mark is written with; empty for nothing."""
    no_message = [each for each in held if not _is_message(each)]
    if any(isinstance(each, TypeVar) for each in held):
        return f"says no type; write {mark.word}[...]"
    if any(_is_context(each) for each in held):
        return "is not needed: the context is given to a parameter annotated with it"
    if mark.role is not Role.INJECTED and no_message:
        return f"holds '{spell(no_message[0])}', which has no codec; make it {MESSAGES}"
    if mark.role is Role.SIGNAL and len(held) > 1:
        return "holds several types; a signal is of one"
    return ""


def _is_context(hint: object) -> bool:
    return isinstance(hint, type) and issubclass(hint, ContextMarker)


def _is_message(hint: object) -> bool:
    return is_message_type(hint) and hint not in CONTROL_WORDS


def _right_mark(hint: object) -> str:
    several = tuple(members(hint))
    if types.NoneType in several:
        return "Partial[...] where it may stay empty"
    return "First[...] for the first of several types" if len(several) > 1 else "Inject[...] for a dependency"
