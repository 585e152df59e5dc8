"""The real pipe of a described one: its message types, its functions, and the log of their calls."""

import inspect
import operator
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import reduce
from types import GenericAlias
from typing import Any

from msgspec import Struct, defstruct
from tests.property.random_plans.shapes import ATTEMPTS, BrokenError, Node, Plan, Sent, Slot, Taken, decide

from headrace.graph.options import Drop, First, Gather, Partial, Retry, Signal, State, Suspend
from headrace.graph.pipe import Pipe
from headrace.graph.plan import ExecutionPlan
from headrace.kernel.context import Context

MOST_KINDS = 100
KINDS: tuple[type[Any], ...] = tuple(
    defstruct(f"M{number}", [("key", str), ("value", int)], frozen=True, module=__name__)
    for number in range(MOST_KINDS)
)
NUMBERS = {kind: number for number, kind in enumerate(KINDS)}
MARKS: dict[str, Any] = {
    "first": First,
    "partial": Partial,
    "gather": Gather,
    "state": State,
    "signal": Signal,
}
SIGNAL = "go"


class Go(Struct):
    """What nodes wait for."""


class Tally(Struct):
    """The state of a key: how many messages it has had, and their sum."""

    count: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call that came to its end: it neither failed nor suspended itself.

    Attributes:
        invocation: The id of its envelope.
        tally: Of a keyed node, its lane and the state before.
    """

    trace_id: str
    invocation: str
    node: str
    taken: Taken
    tally: tuple[str, int, int] | None = None


@dataclass(slots=True)
class Hop:
    """What a hop did.

    Attributes:
        told: The runs of which its worker was told that they are abandoned.
        started: Every call, whatever came of it.
    """

    told: frozenset[str]
    started: list[str] = field(default_factory=list[str])
    calls: list[Call] = field(default_factory=list[Call])


HOP: ContextVar[Hop] = ContextVar("hop")


def compile_plan(plan: Plan) -> ExecutionPlan:
    pipe = Pipe("random", entry=KINDS[0])
    for node in plan.nodes:
        options: dict[str, Any] = {"group": node.group}
        if node.flaky:
            options["retry"] = Retry(attempts=ATTEMPTS, backoff=0.001, jitter=0, on=(BrokenError,))
        if node.keyed:
            options |= {"key": "key", "order": node.keyed}
        if node.max_visits is not None:
            options["max_visits"] = node.max_visits
        pipe.node(**options)(_function(node))
    return pipe.compile()


def _function(node: Node) -> Callable[..., Any]:
    async def function(ctx: Context, state: Tally | None = None, go: Go | None = None, **messages: Any) -> Any:
        hop = HOP.get()
        hop.started.append(ctx.trace_id)
        given = [messages[slot.name] for slot in node.slots]
        taken = tuple(_taken(each) for each in given)
        tally = None
        if state is not None:
            tally = (f"random.{node.name}.{given[0].key}", state.count, state.total)
            state.count += 1
            state.total += given[0].value
        if (node.waits and go is None) or (node.sleeps and await _is_first(ctx)):
            return Suspend(until=SIGNAL if node.waits else 0.001)
        sent = decide(node, taken, ctx.attempt)
        key = _key(given)
        hop.calls.append(
            Call(trace_id=ctx.trace_id, invocation=ctx.invocation_id, node=node.name, taken=taken, tally=tally)
        )
        made = [KINDS[kind](key, value) for kind, value in sent]
        return made if node.most is not None else (made[0] if made else Drop())

    annotations = _annotations(node)
    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation)
        for name, annotation in annotations.items()
    ]
    function.__name__ = node.name
    function.__annotations__ = {**annotations, "return": _returns(node)}
    function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # inspect looks for it
    return function


def _annotations(node: Node) -> dict[str, Any]:
    annotations = {slot.name: _marked(slot) for slot in node.slots}
    if node.keyed:
        annotations["state"] = MARKS["state"][Tally]
    if node.waits:
        annotations[SIGNAL] = MARKS["signal"][Go]
    return {**annotations, "ctx": Context}


def _marked(slot: Slot) -> Any:
    union = _union(slot.kinds)
    return union if slot.how == "one" else MARKS[slot.how][union]


def _returns(node: Node) -> Any:
    words = [Drop] * (node.most is None) + [Suspend] * (node.waits or node.sleeps)
    if node.most is not None:
        series: Any = GenericAlias(list, (_union(node.gives),))
        return reduce(operator.or_, words, series)
    return reduce(operator.or_, [*(KINDS[kind] for kind in node.gives), *words])


def _union(kinds: tuple[int, ...]) -> Any:
    return reduce(operator.or_, [KINDS[kind] for kind in kinds])


async def _is_first(ctx: Context) -> bool:
    """Tell whether this call is made for the first time, as far as the run remembers."""
    first: list[bool] = []

    async def note() -> str:
        first.append(True)
        return ctx.invocation_id

    assert await ctx.once("called", note, type=str) == ctx.invocation_id
    return bool(first)


def _taken(given: Any) -> Sent | tuple[Sent, ...] | None:
    if isinstance(given, list):
        return tuple((NUMBERS[type(each)], each.value) for each in given)
    return None if given is None else (NUMBERS[type(given)], given.value)


def _key(given: list[Any]) -> str:
    """Give the key of the run, which is that of every message; a gather of nothing has none, and needs none."""
    flat = [each for one in given for each in (one if isinstance(one, list) else [one]) if each is not None]
    return flat[0].key if flat else ""
