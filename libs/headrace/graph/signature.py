"""Reads a node's function: which parameters take messages and which take something else, and what it sends. Pure."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import combinations, product
from typing import Any

from headrace.graph.declaration import Declaration
from headrace.graph.hints import Hints
from headrace.graph.marks import Role
from headrace.graph.message_types import type_name
from headrace.graph.mistakes import Mistake, MistakeKind, Where
from headrace.graph.parameters import Parameter, read_parameter, spoken
from headrace.graph.plan import SlotKind
from headrace.graph.returns import Returns, read_returns

_RETURN = "return"
_UNUSABLE: Mapping[object, str] = {
    inspect.Parameter.POSITIONAL_ONLY: "positional-only",
    inspect.Parameter.VAR_POSITIONAL: "a *parameter",
    inspect.Parameter.VAR_KEYWORD: "a **parameter",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A node's function, read.

    Attributes:
        slots: Its message parameters, in order of writing.
        signals: By parameter, the type of the signal that it takes.
        mistakes: What is wrong with it; the rest is then what could be read.
    """

    slots: tuple[Parameter, ...] = ()
    injected: Mapping[str, Any] = field(default_factory=dict[str, Any])
    context: Parameter | None = None
    state: Parameter | None = None
    signals: Mapping[str, type[Any]] = field(default_factory=dict[str, type[Any]])
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
        signals={each.name: each.type for each in by_role[Role.SIGNAL]},
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
    return "the return" if name == _RETURN else spoken(name)


def _parameter(parameter: inspect.Parameter, hints: Hints, where: Where) -> Parameter | Mistake | None:
    """Read one parameter; None where its annotation is not resolved, which is reported already."""
    of = spoken(parameter.name)
    if parameter.kind in _UNUSABLE:
        facts = {"of": of, "how": _UNUSABLE[parameter.kind]}
        return Mistake(kind=MistakeKind.UNUSABLE_PARAMETER, where=where, facts=facts)
    if parameter.name in hints.unresolved:
        return None
    if parameter.name not in hints.resolved:
        return Mistake(kind=MistakeKind.MISSING_ANNOTATION, where=where, facts={"of": of})
    return read_parameter(parameter.name, hints.resolved[parameter.name], where)


def _crowded(by_role: Mapping[Role, tuple[Parameter, ...]], where: Where) -> tuple[Mistake, ...]:
    """Find no message at all, messages that cannot be told apart or gathered, and two of what may be one."""
    slots = by_role[Role.MESSAGE]
    mistakes: list[Mistake] = [] if slots else [Mistake(kind=MistakeKind.NO_MESSAGE_PARAMETER, where=where)]
    for first, second in combinations(slots, 2):
        if (shared := _shared(first, second)) is not None:
            facts = {"first": first.name, "second": second.name, "type": type_name(shared)}
            mistakes.append(Mistake(kind=MistakeKind.INDISTINCT_SLOTS, where=where, facts=facts))
    gathering = [slot.name for slot in slots if slot.kind is SlotKind.GATHER]
    if gathering and len(gathering) < len(slots):
        mistakes.append(Mistake(kind=MistakeKind.MIXED_GATHER, where=where, facts={"slot": gathering[0]}))
    for role, what in ((Role.STATE, "State"), (Role.CONTEXT, "the Context")):
        for first, second in combinations(by_role[role], 2):
            facts = {"first": first.name, "second": second.name, "what": what}
            mistakes.append(Mistake(kind=MistakeKind.REPEATED_PARAMETER, where=where, facts=facts))
    return tuple(mistakes)


def _shared(first: Parameter, second: Parameter) -> type[Any] | None:
    """Give a type that both parameters take."""
    pairs = (*product(first.types, second.types), *product(second.types, first.types))
    return next((narrow for narrow, wide in pairs if issubclass(narrow, wide)), None)


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
