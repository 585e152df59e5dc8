"""What the bus remembers of runs and lanes. Mutable values, changed only by `headrace.ledger.algebra`."""

from msgspec import Struct

from headrace.ledger.told import Told
from headrace.ledger.values import Alarm, Entry, Item, RunState, Schedule, Terminal


class Arrivals(Struct, kw_only=True):
    """What has come to a join.

    Attributes:
        opening: Of a gather, the frame that its scope was opened with.
        by_slot: The messages that wait, by slot; of a gather none.
        gathered: Of a gather, the messages in order of arrival; once it has fired they are its item's stash.
    """

    opening: bytes = b""
    by_slot: dict[str, bytes] = {}
    gathered: list[bytes] = []
    has_fired: bool = False


class Run(Struct, kw_only=True):
    """A run's record.

    Attributes:
        in_flight: Entries in streams + scheduled + parked + waiting at joins (I7).
        waiting: Of these, how many wait at joins; an opened gather is one of them.
        joins: By name.
        feeders: By slot of a join, how much of the run's work may yet lead to a message for it; never 0.
        tickets: By lane, the ticket taken at ingress and not used yet.
        signals: Those that have come, by name.
        parked: By signal, what waits for it, each with its group.
        memory: What its nodes want to remember, by name.
        fingerprint: As its submission gave it.
        is_counted: Whether its end counts in its pipe's load.
    """

    pipe: str
    plan: str
    created_ms: int
    state: RunState = RunState.OPEN
    terminal: Terminal | None = None
    in_flight: int = 0
    waiting: int = 0
    joins: dict[str, Arrivals] = {}
    feeders: dict[str, int] = {}
    tickets: dict[str, int] = {}
    signals: dict[str, bytes] = {}
    parked: dict[str, list[tuple[str, Item]]] = {}
    memory: dict[str, bytes] = {}
    fingerprint: str = ""
    is_counted: bool = False

    @property
    def suspended(self) -> int:
        """How much waits for signals."""
        return sum(map(len, self.parked.values())) if self.parked else 0


class Lane(Struct, kw_only=True):
    """The queue of a key.

    Attributes:
        group: The group that its entries go to.
        last_ticket: The last one given out.
        tickets: Those not settled, ascending: insertion order is ticket order. What is in the stream is among them.
        parked: The items that are here, by ticket.
        state: As its last commit saved it; None before the first.
        state_ttl_ms: Milliseconds that the state is kept when the lane has nothing to do; 0 for ever.
    """

    group: str
    last_ticket: int = 0
    tickets: dict[int, None] = {}
    parked: dict[int, Item] = {}
    state: bytes | None = None
    state_ttl_ms: int = 0


class Ledger(Struct, kw_only=True):
    """All runs and lanes of one bus.

    Attributes:
        lane_batch: The most items that a lane hands out at once.
        started: Runs started with a bound on the open ones, by pipe.
        ended: Of these, those that have ended.
    """

    lane_batch: int = 256
    runs: dict[str, Run] = {}
    started: dict[str, int] = {}
    ended: dict[str, int] = {}
    lanes: dict[str, Lane] = {}


class Append(Struct, frozen=True):
    """Effect: append an entry to a group's stream."""

    group: str
    entry: Entry


class Scheduled(Struct, frozen=True):
    """Effect: keep an item or an alarm in its group's schedule until it is due, `delay_ms` from now."""

    trace_id: str
    group: str
    delay_ms: int
    what: Schedule | Alarm


class DeadLettered(Struct, frozen=True):
    """Effect: add to the group's dead letters."""

    blob: bytes


class Ended(Struct, frozen=True):
    """Effect: tell the replies stream that a run ended."""

    trace_id: str
    terminal: Terminal


class Kept(Struct, frozen=True):
    """Effect: keep what a call tells of itself among the run's events."""

    told: Told


class Drained(Struct, frozen=True):
    """Effect: nothing of an ended run is left but its result, which may now be forgotten after its time."""

    trace_id: str


class Abandoned(Struct, frozen=True):
    """Effect: tell listeners of a run that ended other than completed while work of it was under way."""

    trace_id: str


class Cleared(Struct, frozen=True):
    """Effect: the last work of an abandoned run is gone, so that nobody needs to know of it any more."""

    trace_id: str


class Idle(Struct, frozen=True):
    """Effect: a lane has nothing to do; forget it after a time, unless it has given out another ticket."""

    lane: str
    last_ticket: int
    delay_ms: int


Effect = Append | Scheduled | DeadLettered | Ended | Kept | Drained | Abandoned | Cleared | Idle
