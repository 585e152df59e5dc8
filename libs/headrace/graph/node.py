"""A node that has been read, between its declaration and the plan; and the checks that need no other node. Pure."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, cast, get_args

from headrace.graph.declaration import Declaration, NodeOptions, option_names
from headrace.graph.mistakes import Mistake, MistakeKind, Where
from headrace.graph.numbers import is_count, is_number
from headrace.graph.options import ExecutorName, Retry
from headrace.graph.parameters import Parameter
from headrace.graph.plan import SlotKind
from headrace.graph.signature import Signature, read_signature

# Group and pipe names become stream names, labels and host names: a DNS label is the narrowest of these.
GROUP_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
NODE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,62}")

_EXECUTORS = ", ".join(f"'{name}'" for name in get_args(ExecutorName))
_SECONDS = "a number of seconds above 0"

_Check = Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Node:
    """A declaration and what its function says."""

    declaration: Declaration
    signature: Signature

    @property
    def name(self) -> str:
        """Its name in the graph."""
        return self.declaration.where.node

    @property
    def where(self) -> Where:
        """Where it is declared."""
        return self.declaration.where

    @property
    def options(self) -> NodeOptions:
        """Its options."""
        return self.declaration.options

    @property
    def slots(self) -> tuple[Parameter, ...]:
        """Its message parameters."""
        return self.signature.slots

    @property
    def is_join(self) -> bool:
        """Whether messages meet here."""
        return len(self.slots) > 1 or any(slot.kind is not SlotKind.ONE for slot in self.slots)

    @property
    def gathers(self) -> bool:
        """Whether it collects what descends from a fan-out."""
        return any(slot.kind is SlotKind.GATHER for slot in self.slots)

    @property
    def outputs(self) -> tuple[type[Any], ...]:
        """The types it sends."""
        return self.signature.returns.outputs


def read_node(declaration: Declaration) -> Node:
    """Read a declared node."""
    return Node(declaration, read_signature(declaration))


def retry_of(options: NodeOptions) -> Retry | None:
    """Give the retry of a node; a number is the calls in all."""
    retry = options.get("retry")
    return Retry(attempts=retry) if isinstance(retry, int) else retry


def node_mistakes(node: Node) -> Iterator[Mistake]:
    """Find what is wrong with one node, whatever the others are."""
    yield from node.signature.mistakes
    for option in node.options:
        if option not in option_names():
            known = tuple(option_names())
            yield Mistake(kind=MistakeKind.UNKNOWN_OPTION, where=node.where, wrong=option, known=known)
    yield from invalid_name("node", node.name, NODE_NAME, node.where)
    group = node.options.get("group")
    if group is not None:
        yield from invalid_name("group", group, GROUP_NAME, node.where)
    yield from _values(node.options, node.where)
    yield from _combinations(node)


def invalid_name(what: str, name: object, pattern: re.Pattern[str], where: Where) -> Iterator[Mistake]:
    """Find a name that does not fit its pattern."""
    if not (isinstance(name, str) and pattern.fullmatch(name)):
        facts = {"what": what, "pattern": pattern.pattern}
        yield Mistake(kind=MistakeKind.INVALID_NAME, where=where, facts=facts, wrong=_shown(name))


def _values(options: NodeOptions, where: Where) -> Iterator[Mistake]:
    retry = retry_of(options)
    checks: tuple[tuple[str, object, _Check, str], ...] = (
        ("timeout", options.get("timeout"), lambda it: is_number(it) and it > 0, _SECONDS),
        ("barrier_timeout", options.get("barrier_timeout"), lambda it: is_number(it) and it > 0, _SECONDS),
        ("state_ttl", options.get("state_ttl"), lambda it: is_number(it) and it > 0, _SECONDS),
        ("state_max_bytes", options.get("state_max_bytes"), is_count, "a whole number of at least 1"),
        ("concurrency", options.get("concurrency"), is_count, "a whole number of at least 1"),
        ("max_visits", options.get("max_visits"), is_count, "a whole number of at least 1"),
        ("retry", retry, lambda it: isinstance(it, Retry), "a Retry, or the number of calls in all"),
        ("key", options.get("key"), lambda it: isinstance(it, str) or callable(it), "a field's name, or a function"),
        ("executor", options.get("executor"), lambda it: it in get_args(ExecutorName), "one of " + _EXECUTORS),
        ("order", options.get("order"), lambda it: it in ("arrival", "ingress"), "'arrival' or 'ingress'"),
        ("to", options.get("to"), lambda it: isinstance(it, str), "the name of a node"),
        ("terminal", options.get("terminal"), lambda it: isinstance(it, bool), "True or False"),
    )
    for option, value, is_right, bound in checks:
        if value is not None and not is_right(value):
            yield _bad(option, value, bound, where)
    if isinstance(retry, Retry):
        yield from _retry_values(retry, where)


def _retry_values(retry: Retry, where: Where) -> Iterator[Mistake]:
    bounds: Mapping[str, tuple[_Check, str]] = {
        "attempts": (is_count, "a whole number of at least 1"),
        "backoff": (_duration, "a number of seconds of at least 0"),
        "max_backoff": (_duration, "a number of seconds of at least 0"),
        "jitter": (lambda it: is_number(it) and 0 <= it <= 1, "a fraction from 0 to 1"),
        "on": (_exceptions, "a tuple of exception types"),
        "after": (lambda it: it is None, "left out here; a node returns Retry(after=...)"),
    }
    for each in fields(retry):
        is_right, bound = bounds[each.name]
        value: object = getattr(retry, each.name)
        if not is_right(value):
            yield _bad(f"retry.{each.name}", value, bound, where)


def _combinations(node: Node) -> Iterator[Mistake]:
    options, signature, where = node.options, node.signature, node.where
    target = options.get("to")
    if target is not None and options.get("terminal"):
        facts = {"target": _shown(target)}
        yield Mistake(kind=MistakeKind.TERMINAL_WITH_TARGET, where=where, facts=facts)
    if not signature.mistakes and not node.outputs:
        for option in ("to", "terminal"):
            if options.get(option):
                facts = {"option": f"{option}="}
                yield Mistake(kind=MistakeKind.OPTION_WITHOUT_OUTPUT, where=where, facts=facts)
    yield from _keys(node)
    yield from _executors(node)
    if not signature.mistakes:
        yield from _waits(node)


def _executors(node: Node) -> Iterator[Mistake]:
    """Find a function where it would block the event loop, and a coroutine away from the loop that it is made for."""
    executor, is_async = node.options.get("executor"), node.signature.is_async
    if not node.signature.mistakes and executor == ("thread" if is_async else "inline"):
        of, do = ("a def", "write a def") if is_async else ("an async def", "write an async def")
        facts = {"executor": str(executor), "of": of, "do": do}
        yield Mistake(kind=MistakeKind.WRONG_EXECUTOR, where=node.where, facts=facts)


def _keys(node: Node) -> Iterator[Mistake]:
    """Find order, state and its bounds where there is nothing that they are of."""
    options, signature, where = node.options, node.signature, node.where
    if options.get("key") is None:
        if signature.state is not None:
            facts = {"parameter": signature.state.name}
            yield Mistake(kind=MistakeKind.STATE_WITHOUT_KEY, where=where, facts=facts)
        if options.get("order") is not None:
            yield Mistake(kind=MistakeKind.ORDER_WITHOUT_KEY, where=where)
    elif node.is_join:
        yield Mistake(kind=MistakeKind.KEYED_JOIN, where=where)
    for option in ("state_ttl", "state_max_bytes"):
        if options.get(option) is not None and signature.state is None and not signature.mistakes:
            yield Mistake(kind=MistakeKind.OPTION_WITHOUT_STATE, where=where, facts={"option": f"{option}="})


def _waits(node: Node) -> Iterator[Mistake]:
    """Find waits that nothing could end, and bounds of waits that there are not."""
    if node.options.get("barrier_timeout") is not None and not node.is_join:
        yield Mistake(kind=MistakeKind.BARRIER_WITHOUT_JOIN, where=node.where)
    if not node.signature.returns.may_suspend:
        for signal in node.signature.signals:
            yield Mistake(kind=MistakeKind.SIGNAL_WITHOUT_SUSPEND, where=node.where, facts={"signal": signal})


def _bad(option: str, value: object, bound: str, where: Where) -> Mistake:
    facts = {"option": option, "value": _shown(value), "bound": bound}
    return Mistake(kind=MistakeKind.BAD_OPTION, where=where, facts=facts)


def _shown(value: object) -> str:
    if isinstance(value, str):
        return value
    return repr(value) if value is None or isinstance(value, int | float) else f"a {type(value).__name__}"


def _duration(value: Any) -> bool:  # noqa: ANN401 - options come from user code, whatever their annotation says
    return is_number(value) and value >= 0


def _exceptions(value: Any) -> bool:  # noqa: ANN401 - as above
    kinds: tuple[object, ...] = cast("tuple[object, ...]", value) if isinstance(value, tuple) else (None,)
    return all(isinstance(each, type) and issubclass(each, Exception) for each in kinds)
