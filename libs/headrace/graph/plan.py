"""The frozen, compiled graph: what `Pipe.compile` gives and every later layer reads. No I/O, no clock.

Everything that is looked up while messages flow is compiled here once: routes by emitting node and class, codecs by
type name, keys of lanes. Nothing is rebuilt per message.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Literal

from headrace.graph.options import ExecutorName, Retry
from headrace.wire.codec import MessageCodec

DEFAULT_STATE_MAX_BYTES = 1024 * 1024  # it travels with every entry of its lane


class SlotKind(StrEnum):
    """How a slot takes messages: just one; the first of some types, `First`; one or none, `Partial`; all, `Gather`."""

    ONE = "one"
    FIRST = "first"
    PARTIAL = "partial"
    GATHER = "gather"


class NodeKind(StrEnum):
    """What something is of: a plain node, one that sends one of several types, a series, or where messages meet."""

    RUN = "run"
    STEP = "step"
    SWITCH = "switch"
    FAN_OUT = "fan_out"
    JOIN = "join"
    GATHER = "gather"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A message parameter of a node: its name and the type it takes, or of a `First` the types: "A | B"."""

    name: str
    type_name: str
    kind: SlotKind = SlotKind.ONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """A slot that a message at some node may lead to a message for.

    Attributes:
        up: How many scopes outside the message's own the slot's join is: each gather on the way leaves one.
    """

    node: str
    slot: str
    up: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where a message goes: a node, and which of its message parameters."""

    node: str
    slot: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyed:
    """How a keyed node orders its work.

    Attributes:
        key: The key as written, the field or the function; for people and the fingerprint.
        key_of: The lane key of the node's own message.
        ingress_key_of: The lane key of the run's entry message; None where order is by arrival.
        state_param: The parameter that takes the key's state, None where the node keeps none.
        state: Codec of the state's type; the type's no-argument call makes the first state. None as above.
        state_ttl_s: Seconds that a key's state is kept after its last work, None for ever.
        state_max_bytes: The largest a key's state may be when it is saved.
    """

    order: Literal["arrival", "ingress"]
    key_of: Callable[[Any], str]
    ingress_key_of: Callable[[Any], str] | None = None
    key: str = ""
    state_param: str | None = None
    state: MessageCodec | None = None
    state_ttl_s: float | None = None
    state_max_bytes: int = DEFAULT_STATE_MAX_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanNode:
    """One node of the plan.

    Attributes:
        function: The user's function.
        group: The process group that runs it.
        file: Where it is written, for mistakes and logs.
        line: As `file`; 1-based.
        slots: Its message parameters; more than one make it a join, as does one that is not of kind ONE.
        reaches: The slots of joins and gathers that a message for this node may lead to, but for its own.
        opens: The gather nodes that collect what descends from one call; if there are any, its outputs are in a child
            scope.
        barrier_timeout_s: Seconds that a join waits at most, None for no bound.
        signals: By parameter, the codec of the signal of that name.
        injected: Parameter name to the type that the container gives.
        context_param: The parameter that takes the `Context`, None where it wants none.
        is_async: An `async def`, or an asynchronous generator.
        is_series: Yields its outputs, or is declared to return a list of them. None and the control words may still
            stand in place of the list, or be among its elements.
        sends_anywhere: Declared to return `To`: a message may go from here to any node.
        outputs: Names of the declared output types.
        routes: By class of an output, where it goes from here; an empty tuple marks a terminal output.
        to: The explicit target of all its outputs, None where they go by type.
        timeout_s: Seconds for one call, None for no bound.
        concurrency: Calls at a time in one process, None for the worker's slots.
        executor: Where its body runs.
        is_terminal: Its outputs end the run whatever consumes their types.
        max_visits: Bound of the loop it closes, None where it is in none.
        origin: The included pipe that it comes from, with "/" between where that was included itself; empty for none.
        kind: What it is, in events and drawings.
        is_join: Whether messages meet here: it is called through joins, never directly.
        gathers: Whether it collects what descends from one fan-out; then all its slots do.
        is_plain: It takes nothing but its messages.
    """

    name: str
    function: Callable[..., Any]
    group: str
    file: str
    line: int
    slots: tuple[Slot, ...]
    injected: Mapping[str, Any] = field(default_factory=dict[str, Any])
    context_param: str | None = None
    is_async: bool = True
    is_series: bool = False
    sends_anywhere: bool = False
    outputs: tuple[str, ...] = ()
    routes: Mapping[type[Any], tuple[Route, ...]] = field(default_factory=dict[type[Any], tuple[Route, ...]])
    to: str | None = None
    retry: Retry | None = None
    timeout_s: float | None = None
    concurrency: int | None = None
    executor: ExecutorName = "inline"
    is_terminal: bool = False
    keyed: Keyed | None = None
    max_visits: int | None = None
    reaches: tuple[Reach, ...] = ()
    opens: tuple[str, ...] = ()
    barrier_timeout_s: float | None = None
    signals: Mapping[str, MessageCodec] = field(default_factory=dict[str, MessageCodec])
    origin: str = ""
    kind: NodeKind = field(init=False)
    is_join: bool = field(init=False)
    gathers: bool = field(init=False)
    is_plain: bool = field(init=False)

    def __post_init__(self) -> None:
        """Work out what is looked at in every call, and freeze what it holds."""
        _freeze(self, "injected", "routes", "signals")
        kinds = {slot.kind for slot in self.slots}
        object.__setattr__(self, "gathers", SlotKind.GATHER in kinds)
        object.__setattr__(self, "is_join", len(self.slots) > 1 or bool(kinds - {SlotKind.ONE}))
        object.__setattr__(self, "kind", _kind_of(self))
        takes_more = self.signals or self.injected or self.context_param is not None or self.keyed is not None
        object.__setattr__(self, "is_plain", not takes_more)

    @property
    def runs_elsewhere(self) -> bool:
        """Whether its body runs in another process than its worker's."""
        return self.executor in ("process", "ray")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionPlan:
    """The compiled graph of one pipe.

    Attributes:
        version: Fingerprint of nodes, types, routes and placement: the same for the same code on every host.
        nodes: Every node by name, in order of declaration; the node registry that targets are checked against.
        codecs: By type name, every message type of the graph.
        type_names: By class, its name in envelopes.
        entry_type: Name of the type that a run starts from.
        entry: Where the entry message goes.
        consumers: By type name, every node that takes that type, subclasses' consumers included.
        terminal_types: Names of the types that can be a run's result.
        parents: By node, the nodes whose outputs can reach it in one step; one that returns `To` can reach all.
        groups: By group, its nodes.
        on_startup: Called without arguments when a process that runs nodes of the plan starts.
        on_shutdown: Called when it stops, whatever happened.
        observers: Told of kernel events.
        providers: Dependency providers for injected parameters.
        hooks: What events go through before observers are told.
        middleware: What wraps the calls of nodes, the outermost first.
        classifiers: What has a say in the kind and the source of failures.
        read_line: Makes the entry message of one line of an input file; None where lines are its JSON.
    """

    pipe: str
    version: str
    nodes: Mapping[str, PlanNode]
    codecs: Mapping[str, MessageCodec]
    type_names: Mapping[type[Any], str]
    entry_type: str
    entry: tuple[Route, ...]
    consumers: Mapping[str, tuple[Route, ...]]
    terminal_types: tuple[str, ...]
    parents: Mapping[str, tuple[str, ...]]
    groups: Mapping[str, tuple[str, ...]]
    on_startup: tuple[Callable[[], Any], ...] = ()
    on_shutdown: tuple[Callable[[], Any], ...] = ()
    observers: tuple[Any, ...] = ()
    providers: tuple[Any, ...] = ()
    hooks: tuple[Any, ...] = ()
    middleware: tuple[Any, ...] = ()
    classifiers: tuple[Any, ...] = ()
    read_line: Callable[[str], Any] | None = None

    def __post_init__(self) -> None:
        """Freeze what it holds."""
        _freeze(self, "nodes", "codecs", "type_names", "consumers", "parents", "groups")

    def stream(self, group: str) -> str:
        """Name a group on a bus, where groups of several pipes may meet."""
        return f"{self.pipe}.{group}"


def _freeze(frozen: object, *names: str) -> None:
    for name in names:
        object.__setattr__(frozen, name, MappingProxyType(dict(getattr(frozen, name))))


def _kind_of(node: PlanNode) -> NodeKind:
    if node.gathers:
        return NodeKind.GATHER
    if node.is_join:
        return NodeKind.JOIN
    if node.is_series:
        return NodeKind.FAN_OUT
    return NodeKind.SWITCH if len(node.outputs) > 1 else NodeKind.STEP
