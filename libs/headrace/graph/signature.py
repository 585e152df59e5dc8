"""Reads a node's function: which parameters take messages and which take something else, and what it sends. Pure."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import combinations
from typing import Annotated, Any, TypeVar, get_args, get_origin

from headrace.graph.declaration import Declaration
from headrace.graph.hints import Hints
from headrace.graph.message_types import type_name
from headrace.graph.mistakes import MESSAGES, Mistake, MistakeKind, Where
from headrace.graph.options import ContextMarker, InjectMarker, StateMarker
from headrace.graph.returns import CONTROL_WORDS, Returns, read_returns, spell, unalias
from headrace.wire.codec import is_message_type

_RETURN = "return"
_UNUSABLE: Mapping[object, str] = {
    inspect.Parameter.POSITIONAL_ONLY: "positional-only",
    inspect.Parameter.VAR_POSITIONAL: "a *parameter",
    inspect.Parameter.VAR_KEYWORD: "a **parameter",
}


class Role(Enum):
    """What a parameter takes."""

    MESSAGE = auto()
    INJECTED = auto()
    STATE = auto()
    CONTEXT = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter of a node, read."""

    name: str
    role: Role
    type: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A node's function, read.

    Attributes:
        slots: Its message parameters, in order of writing.
        mistakes: What is wrong with it; the rest is then what could be read.
    """

    slots: tuple[Parameter, ...] = ()
    injected: Mapping[str, Any] = field(default_factory=dict[str, Any])
    context: Parameter | None = None
    state: Parameter | None = None
    returns: Returns = field(default_factory=Returns)
    is_async: bool = False
    mistakes: tuple[Mistake, ...] = ()


def read_signature(declaration: Declaration) -> Signature:
    """Read a declared node's function."""
    function, hints, where = declaration.function, declaration.hints, declaration.where
    if not inspect.isroutine(function):
        facts = {"type": type(function).__name__}
        return Signature(mistakes=(Mistake(kind=MistakeKind.NOT_A_FUNCTION, where=where, facts=facts),))
    hints.resolve()
    mistakes = _unresolved(hints, where)
    if not hints.resolved and hints.unresolved:
        return Signature(mistakes=mistakes)
    read = [_parameter(each, hints, where) for each in inspect.signature(function).parameters.values()]
    parameters = tuple(each for each in read if isinstance(each, Parameter))
    mistakes += tuple(each for each in read if isinstance(each, Mistake))
    by_role = {role: tuple(each for each in parameters if each.role is role) for role in Role}
    if len(parameters) == len(read):  # else the message may be the parameter that could not be read
        mistakes += _crowded(by_role, where)
    returns = _returns(function, hints, where)
    return Signature(
        slots=by_role[Role.MESSAGE],
        injected={each.name: each.type for each in by_role[Role.INJECTED]},
        context=next(iter(by_role[Role.CONTEXT]), None),
        state=next(iter(by_role[Role.STATE]), None),
        returns=returns,
        is_async=_is_async(function),
        mistakes=mistakes + returns.mistakes,
    )


def _unresolved(hints: Hints, where: Where) -> tuple[Mistake, ...]:
    return tuple(
        Mistake(
            kind=MistakeKind.UNRESOLVED_ANNOTATION,
            where=where,
            facts={"of": _spoken(name), "why": unresolved.why},
            wrong=unresolved.missing,
            known=hints.message_names() if unresolved.missing else (),
        )
        for name, unresolved in hints.unresolved.items()
    )


def _spoken(name: str) -> str:
    if not name:
        return "a parameter"
    return "the return" if name == _RETURN else f"parameter '{name}'"


def _parameter(parameter: inspect.Parameter, hints: Hints, where: Where) -> Parameter | Mistake | None:
    """Read one parameter; None where its annotation is not resolved, which is reported already."""
    of = _spoken(parameter.name)
    if parameter.kind in _UNUSABLE:
        facts = {"of": of, "how": _UNUSABLE[parameter.kind]}
        return Mistake(kind=MistakeKind.UNUSABLE_PARAMETER, where=where, facts=facts)
    if parameter.name in hints.unresolved:
        return None
    if parameter.name not in hints.resolved:
        return Mistake(kind=MistakeKind.MISSING_ANNOTATION, where=where, facts={"of": of})
    return _classified(parameter.name, unalias(hints.resolved[parameter.name]), where)


def _classified(name: str, hint: object, where: Where) -> Parameter | Mistake:
    inner, *metadata = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    marks: set[type[Any]] = {type(mark) for mark in metadata if isinstance(mark, InjectMarker | StateMarker)}
    if marks:
        return _marked(name, inner, marks, where)
    if _is_context(inner):
        return Parameter(name=name, role=Role.CONTEXT, type=inner)
    if is_message_type(inner) and inner not in CONTROL_WORDS:
        return Parameter(name=name, role=Role.MESSAGE, type=inner)
    facts = {"of": _spoken(name), "type": spell(inner), "messages": f"{MESSAGES}; write Inject[...] for a dependency"}
    return Mistake(kind=MistakeKind.NOT_A_MESSAGE, where=where, facts=facts)


def _marked(name: str, inner: object, marks: set[type[Any]], where: Where) -> Parameter | Mistake:
    mark = "State" if StateMarker in marks else "Inject"
    why = ""
    if len(marks) > 1:
        mark, why = "Inject and State", "exclude each other; keep one"
    elif isinstance(inner, TypeVar):
        why = f"says no type; write {mark}[...]"
    elif mark == "State" and not is_message_type(inner):
        why = f"holds '{spell(inner)}', which has no codec; make it {MESSAGES}"
    elif _is_context(inner):
        why = "is not needed: the context is given to a parameter annotated with it"
    if why:
        facts = {"mark": mark, "of": _spoken(name), "why": why}
        return Mistake(kind=MistakeKind.MISPLACED_MARK, where=where, facts=facts)
    return Parameter(name=name, role=Role.STATE if mark == "State" else Role.INJECTED, type=inner)


def _is_context(hint: object) -> bool:
    return isinstance(hint, type) and issubclass(hint, ContextMarker)


def _crowded(by_role: Mapping[Role, tuple[Parameter, ...]], where: Where) -> tuple[Mistake, ...]:
    """Find no message at all, messages that cannot be told apart, and two of what may be one."""
    slots = by_role[Role.MESSAGE]
    mistakes: list[Mistake] = [] if slots else [Mistake(kind=MistakeKind.NO_MESSAGE_PARAMETER, where=where)]
    for first, second in combinations(slots, 2):
        if issubclass(first.type, second.type) or issubclass(second.type, first.type):
            narrow = first.type if issubclass(first.type, second.type) else second.type
            facts = {"first": first.name, "second": second.name, "type": type_name(narrow)}
            mistakes.append(Mistake(kind=MistakeKind.INDISTINCT_SLOTS, where=where, facts=facts))
    for role, what in ((Role.STATE, "State"), (Role.CONTEXT, "the Context")):
        for first, second in combinations(by_role[role], 2):
            facts = {"first": first.name, "second": second.name, "what": what}
            mistakes.append(Mistake(kind=MistakeKind.REPEATED_PARAMETER, where=where, facts=facts))
    return tuple(mistakes)


def _is_async(function: Callable[..., Any]) -> bool:
    forms = (function, inspect.unwrap(function))  # a plain wrapper hands on the coroutine of what it wraps
    return any(inspect.iscoroutinefunction(form) or inspect.isasyncgenfunction(form) for form in forms)


def _returns(function: Callable[..., Any], hints: Hints, where: Where) -> Returns:
    if _RETURN in hints.resolved:
        returns = read_returns(hints.resolved[_RETURN], where)
        how, right = _undeclared_series(function, returns)
        if not how or returns.mistakes:
            return returns
        mistake = Mistake(kind=MistakeKind.UNDECLARED_SERIES, where=where, facts={"how": how, "right": right})
    elif _RETURN in hints.unresolved:
        return Returns()
    else:
        mistake = Mistake(kind=MistakeKind.MISSING_RETURN, where=where)
    return Returns(mistakes=(mistake,))


def _undeclared_series(function: Callable[..., Any], returns: Returns) -> tuple[str, str]:
    """Tell how a function's form and its return annotation disagree, and the annotation that would fit."""
    source = inspect.unwrap(function)
    if inspect.isasyncgenfunction(source) and not returns.is_async_series:
        return "it yields asynchronously", "AsyncIterator[...]"
    if inspect.isgeneratorfunction(source) and (not returns.is_series or returns.is_async_series):
        return "it yields", "Iterator[...]"
    if returns.is_async_series and not _is_async(function):
        return "a plain def cannot be iterated asynchronously", "Iterator[...], or make it an async def"
    return "", ""
