"""Kernel events: what a runner tells observers.

| event | when | fields beside trace_id, node, group |
| --- | --- | --- |
| `NodeStarted` | a node is about to be called | attempt |
| `NodeEnded` | it returned | attempt, duration_s, outputs |
| `NodeFailed` | it raised or ran out of time | attempt, duration_s, failure, retry_in_s (None: for good) |
| `Emitted` | a node called `ctx.emit` | value |
| `TerminalDropped` | a second terminal output in one hop | |

An observer is a callable that takes one event; it runs on the event loop, so it must not block. Its errors are logged
and go no further.
"""

from collections.abc import Callable
from dataclasses import dataclass

from headrace.errors import Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelEvent:
    """What all events carry."""

    trace_id: str
    node: str
    group: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStarted(KernelEvent):
    """A node is about to be called."""

    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeEnded(KernelEvent):
    """A node returned."""

    attempt: int
    duration_s: float
    outputs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFailed(KernelEvent):
    """A node raised or ran out of time."""

    attempt: int
    duration_s: float
    failure: Failure
    retry_in_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Emitted(KernelEvent):
    """A node told of its progress."""

    value: object


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalDropped(KernelEvent):
    """A second terminal output came in one hop; the first stands."""


Observer = Callable[[KernelEvent], None]
EVENTS = (NodeStarted, NodeEnded, NodeFailed, Emitted, TerminalDropped)
