"""What the bus remembers of runs and lanes. Mutable values, changed only by `headrace.ledger.algebra`."""

from dataclasses import dataclass, field

from headrace.ledger.values import Entry, Item, RunState, Schedule, Terminal


@dataclass(slots=True, kw_only=True)
class Join:
    """A join of a run: the arrivals that wait, by slot; None once it has fired."""

    waiting: dict[str, bytes] | None = field(default_factory=dict[str, bytes])


@dataclass(slots=True, kw_only=True)
class Run:
    """A run's record.

    Attributes:
        in_flight: Entries in streams + scheduled + parked + waiting at joins (I7).
        waiting: Of these, how many wait at joins.
        joins: By node and scope.
        tickets: By lane, the ticket taken at ingress and not used yet.
    """

    pipe: str
    plan: str
    created_ms: int
    state: RunState = RunState.OPEN
    terminal: Terminal | None = None
    in_flight: int = 0
    waiting: int = 0
    joins: dict[tuple[str, str], Join] = field(default_factory=dict[tuple[str, str], Join])
    tickets: dict[str, int] = field(default_factory=dict[str, int])


@dataclass(slots=True, kw_only=True)
class Lane:
    """The queue of a key.

    Attributes:
        group: The group that its entries go to.
        last_ticket: The last one given out.
        tickets: Those not settled, ascending: insertion order is ticket order. What is in the stream is among them.
        parked: The items that are here, by ticket.
        state: As its last commit saved it; None before the first.
    """

    group: str
    last_ticket: int = 0
    tickets: dict[int, None] = field(default_factory=dict[int, None])
    parked: dict[int, Item] = field(default_factory=dict[int, Item])
    state: bytes | None = None


@dataclass(slots=True, kw_only=True)
class Ledger:
    """All runs and lanes of one bus.

    Attributes:
        lane_batch: The most items that a lane hands out at once.
    """

    lane_batch: int = 256
    runs: dict[str, Run] = field(default_factory=dict[str, Run])
    lanes: dict[str, Lane] = field(default_factory=dict[str, Lane])


@dataclass(frozen=True, slots=True)
class Append:
    """Effect: append an entry to a group's stream."""

    group: str
    entry: Entry


@dataclass(frozen=True, slots=True)
class Scheduled:
    """Effect: keep an item until it is due, `schedule.delay_ms` from now."""

    trace_id: str
    schedule: Schedule


@dataclass(frozen=True, slots=True)
class DeadLettered:
    """Effect: add to the group's dead letters."""

    blob: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """Effect: tell the replies stream that a run ended."""

    trace_id: str
    terminal: Terminal


@dataclass(frozen=True, slots=True)
class Drained:
    """Effect: nothing of an ended run is left but its result, which may now be forgotten after its time."""

    trace_id: str


Effect = Append | Scheduled | DeadLettered | Ended | Drained
