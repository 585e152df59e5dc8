"""Kernel events: what happens to a run, as a worker's hop and the in-process engine tell it, in one set of types.

| event | when | fields beside those of every event |
| --- | --- | --- |
| `RunStarted` | a run begins, before the start-up hooks | pipe |
| `NodeStarted` | a node is about to be called | |
| `NodeEnded` | it returned | duration_s, outputs |
| `NodeFailed` | it raised or ran out of time | duration_s, failure, retry_in_s (None: for good) |
| `Emitted` | a node called `ctx.emit`: progress, a token | value |
| `TerminalDropped` | a terminal output came after the one that ended the run | |
| `FanOutStarted` | a node sends a series | items |
| `FanOutItem` | one message of it goes on its way | position |
| `FanOutCompleted` | all of it is gathered, or, where nothing gathers it, sent | items |
| `JoinWaited` | a message came to a join that waits for more | slot |
| `JoinReleased` | a join fired | messages |
| `Suspended` | a call is parked | until (a signal's name, or seconds) |
| `RunTimedOut` | a run's time is up; `RunFinished` follows | |
| `RunCancelled` | a run was cancelled; `RunFinished` follows | |
| `RunFinished` | the last event of a run, just once | status, duration_s, result, failure, failures, metrics |

A worker's hop tells of nodes, emissions, suspensions and dropped terminals; the others are the engine's, which sees the
whole run.

An observer is a callable that takes one event; it runs on the event loop, so it must not block. Its errors are logged
and go no further. A hook takes an event and gives the one that is told in its place, or None for none.
"""

from collections.abc import Callable

from msgspec import Struct

from headrace.errors import Failure
from headrace.graph.plan import NodeKind
from headrace.kernel.metrics import RunMetrics
from headrace.ledger.values import RunState


class KernelEvent(Struct, frozen=True, tag=True):
    """What all events carry; fields of a call are empty where an event is of none.

    Attributes:
        trace_id: The run.
        attempt: Of the call: 1, and one more each time it failed.
        invocation_id: The call; the same for its start, its end and its repetitions.
        parent_invocation_id: The call whose output it works on; of a join the first one. A worker knows it only within
            a hop.
        owner_invocation_id: The call that fanned out the scope that it is in; empty in the run's own, and in workers.
        scope: As an envelope's.
        origin_run_id: The run that this happened in: of a sub-pipeline the run_id and its name.
        parent_run_id: Of a sub-pipeline's event, the run around it; else empty.
        seq: Ascending by one within a run in one process, and within a worker.
        time: Unix time in seconds.
    """

    trace_id: str
    node: str = ""
    group: str = ""
    attempt: int = 0
    invocation_id: str = ""
    parent_invocation_id: str = ""
    owner_invocation_id: str = ""
    scope: str = ""
    node_kind: NodeKind = NodeKind.RUN
    origin_run_id: str = ""
    parent_run_id: str = ""
    seq: int = 0
    time: float = 0.0

    @property
    def run_id(self) -> str:
        """The run, by the name that events go by: its trace_id."""
        return self.trace_id


class RunStarted(KernelEvent, frozen=True, kw_only=True):
    """A run begins."""

    pipe: str


class NodeStarted(KernelEvent, frozen=True, gc=False):
    """A node is about to be called."""


class NodeEnded(KernelEvent, frozen=True, gc=False):  # by position: half the cost of words
    """A node returned."""

    duration_s: float = 0.0
    outputs: int = 0


class NodeFailed(KernelEvent, frozen=True, kw_only=True):
    """A node raised or ran out of time."""

    duration_s: float
    failure: Failure
    retry_in_s: float | None


class Emitted(KernelEvent, frozen=True, kw_only=True):
    """A node told of its progress."""

    value: object


class TerminalDropped(KernelEvent, frozen=True):
    """A second terminal output came; the first stands."""


class FanOutStarted(KernelEvent, frozen=True, kw_only=True):
    """A node sends a series."""

    items: int


class FanOutItem(KernelEvent, frozen=True, kw_only=True, gc=False):
    """One message of a series goes on its way."""

    position: int


class FanOutCompleted(KernelEvent, frozen=True, kw_only=True):
    """A series is gathered, or sent."""

    items: int


class JoinWaited(KernelEvent, frozen=True, gc=False):  # as above
    """A message came to a join that waits for more."""

    slot: str = ""


class JoinReleased(KernelEvent, frozen=True, kw_only=True):
    """A join fired."""

    messages: int


class Suspended(KernelEvent, frozen=True, kw_only=True):
    """A call is parked."""

    until: str | float


class RunTimedOut(KernelEvent, frozen=True):
    """A run's time is up."""


class RunCancelled(KernelEvent, frozen=True):
    """A run was cancelled."""


class RunFinished(KernelEvent, frozen=True, kw_only=True):
    """A run is over.

    Attributes:
        result: None where it has none.
        failure: The first one, with its kind, its source and the node; None where the run completed.
        failures: All, in order, also those that were tried again or ended just their branch.
    """

    status: RunState
    duration_s: float
    result: object
    failure: Failure | None
    failures: tuple[Failure, ...]
    metrics: RunMetrics


Origin = tuple[str, str, str, int, str, str, str, str, NodeKind, str, str]
"""The fields that all events of one call share, in order."""
Stamped = tuple[str, str, str, int, str, str, str, str, NodeKind, str, str, int, float]
"""These, and the number and the time of one event: all that `KernelEvent` has."""
Observer = Callable[[KernelEvent], None]
Hook = Callable[[KernelEvent], KernelEvent | None]
EVENTS = (
    RunStarted,
    NodeStarted,
    NodeEnded,
    NodeFailed,
    Emitted,
    TerminalDropped,
    FanOutStarted,
    FanOutItem,
    FanOutCompleted,
    JoinWaited,
    JoinReleased,
    Suspended,
    RunTimedOut,
    RunCancelled,
    RunFinished,
)
