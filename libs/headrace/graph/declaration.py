"""What the decorators write down: nodes and the pipe, as declared, nothing checked yet."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Any, Literal, TypedDict

from headrace.graph.hints import Hints
from headrace.graph.mistakes import Where
from headrace.graph.options import ExecutorName, Retry


class NodeOptions(TypedDict, total=False):
    """Options of `@pipe.node`.

    Attributes:
        group: The process group that runs the node where the placement does not say; "main" by default.
        to: The node that all its outputs go to, whatever else takes their types.
        name: Its name, the function's by default.
        retry: How failures are tried again; a number is the calls in all.
        timeout: Seconds for one call; making its injected parameters before it may take as long.
        concurrency: Calls at a time in one process; a thread whose time is up counts until it ends.
        executor: Where it runs: "inline" is the event loop, the default of an `async def`; "thread" is that of a `def`;
            "process" is a child process of the worker, "ray" a Ray cluster.
        key: The field of its message by which work is ordered, or a function from the message to the key. Work of one
            key runs one at a time. A constant key, for one lane of all work, is `key=lambda _: "all"`.
        order: With `key`: the order of arrival at the node (default), or the order in which runs were submitted. With
            "ingress" the key is taken from the entry message: the same field, or the same function applied to it.
        state_ttl: With `State`: seconds that the state of a key is kept after its last work; for ever by default.
        state_max_bytes: With `State`: the largest a key's state may be when it is saved, 1 MiB by default; the message
            that makes it larger fails its run.
        terminal: Its outputs end the run whatever takes their types.
        max_visits: How often one run may call it; some node of every cycle needs that.
        barrier_timeout: Seconds that a join waits from its first message, and a gather from its fan-out. After them it
            goes on with what has come where all that is missing is `Partial`, and else fails the run.
    """

    group: str
    to: str
    name: str
    retry: Retry | int
    timeout: float
    concurrency: int
    executor: ExecutorName
    key: str | Callable[[Any], object]
    order: Literal["arrival", "ingress"]
    state_ttl: float
    state_max_bytes: int
    terminal: bool
    max_visits: int
    barrier_timeout: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """A node as declared."""

    function: Callable[..., Any]
    options: NodeOptions
    hints: Hints
    where: Where
    origin: str = ""

    @property
    def name(self) -> str:
        """Its name in the graph."""
        return self.where.node


@dataclass(frozen=True, slots=True, kw_only=True)
class PipeDeclaration:
    """A pipe as declared; the attributes that the plan has too mean the same there."""

    name: str
    entry: type[Any] | None
    where: Where
    nodes: tuple[Declaration, ...]
    on_startup: tuple[Callable[[], Any], ...] = ()
    on_shutdown: tuple[Callable[[], Any], ...] = ()
    observers: tuple[Any, ...] = ()
    providers: tuple[Any, ...] = ()
    hooks: tuple[Any, ...] = ()
    middleware: tuple[Any, ...] = ()
    classifiers: tuple[Any, ...] = ()
    read_line: Callable[[str], Any] | None = None


def declare(function: Callable[..., Any], options: NodeOptions, frame: FrameType | None) -> Declaration:
    """Write a node down; `frame` is where the decorator stands, whose local names annotations may use."""
    source = inspect.unwrap(function)
    name = str(options.get("name") or getattr(function, "__name__", type(function).__name__))
    code = getattr(source, "__code__", None)
    if code is not None:
        where = Where(node=name, file=code.co_filename, line=code.co_firstlineno)
    else:
        where = place_of(frame, node=name)
    return Declaration(function=function, options=options, hints=Hints(function, frame), where=where)


def place_of(frame: FrameType | None, *, node: str = "") -> Where:
    """Give the place where a frame stands."""
    if frame is None:
        return Where(node=node, file="<unknown>", line=0)
    return Where(node=node, file=frame.f_code.co_filename, line=frame.f_lineno)


def option_names() -> Mapping[str, Any]:
    """Name the options of a node."""
    return NodeOptions.__annotations__
