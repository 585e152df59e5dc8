"""The vocabulary of a commit: what a worker may ask the bus to record, and what the bus hands a worker.

Values only. The algebra over them is `headrace.ledger.algebra` in Python and `bus/redis/lua` on Redis; frames and
blobs are opaque bytes to both.
"""

from enum import IntEnum, StrEnum
from functools import cached_property

from msgspec import Struct

from headrace.ledger.told import Told


class RunState(StrEnum):
    """Where a run stands; the moves between are `headrace.ledger.tables.RUN_MOVES`."""

    OPEN = "open"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class Answer(StrEnum):
    """What a commit answers.

    COMMITTED: recorded. FENCED: the delivery was gone, nothing changed. LATE: the run was ended, the outputs are
    dropped. DUPLICATE: recorded, but the run had its terminal already, so this one is dropped.
    """

    COMMITTED = "committed"
    FENCED = "fenced"
    LATE = "late"
    DUPLICATE = "duplicate"


class Submitted(IntEnum):
    """What a submission answers; KNOWN is false.

    KNOWN: a run of this trace_id is there, nothing changed. NEW: it has started. FULL: as many runs of its pipe are
    open as it allows, so it was refused whole.
    """

    KNOWN = 0
    NEW = 1
    FULL = 2


class Item(Struct, frozen=True):
    """One piece of work in a stream entry.

    Attributes:
        frames: The message's frame; for a joined item a frame a slot, in the join's order of slots, without those of
            optional slots that nothing came for. For a gathered item the frame that its scope was opened with.
        ticket: Its place in its lane; 0 where the entry is of no lane.
        stash: For a gathered item, the name of the join whose gathered frames wait in the run's stash; else empty.
    """

    frames: tuple[bytes, ...]
    ticket: int = 0
    stash: str = ""


class Entry(Struct, frozen=True):
    """What stands in a group's stream: one item, or several of one lane, in the lane's order.

    Attributes:
        lane: The lane, empty for none.
        state: The lane's state as its last commit saved it; None before the first.
    """

    items: tuple[Item, ...]
    lane: str = ""
    state: bytes | None = None


class Delivery(Struct, frozen=True):
    """An entry handed to a worker.

    Attributes:
        partition: Where it came from.
        id: The entry's id in its stream, which begins with the Unix time in milliseconds at which it came there.
        deliveries: Times it has been handed out, this one included.
    """

    partition: int
    id: str
    deliveries: int
    entry: Entry

    @property
    def since_ms(self) -> int:
        """When it came to its stream: Unix time in milliseconds, by the bus."""
        return int(self.id.partition("-")[0])

    @property
    def turn(self) -> str:
        """Orders the times that one piece of work is handed out, as text: a later one is greater."""
        first, _, second = self.id.partition("-")
        return f"{int(first):016x}-{int(second or 0):08x}-{self.deliveries:08x}"


class Join(Struct, frozen=True, cache_hash=True, dict=True):
    """Where messages of several branches meet: a join or gather node within one scope of a run. It fires once.

    A join fires when every slot has its message, or can no longer get one and is optional. A gather fires when nothing
    under way can lead to another message for it. A join that waits for a slot which can no longer be fed is starved.

    Attributes:
        group: Whose stream its item goes to.
        scope: The scope whose messages meet.
        slots: All its slots, in order; the same for every arrival.
        optional: Slots that it fires without, once they can no longer be fed.
        gathers: A gather: any number of messages come to its slots, and its output leaves the scope.
        timeout_ms: Milliseconds from its first arrival, or from the opening of its scope, after which it no longer
            waits: it fires where just optional slots are empty, and fails its run otherwise; 0 for no bound.
    """

    group: str
    node: str
    scope: str
    slots: tuple[str, ...]
    optional: tuple[str, ...] = ()
    gathers: bool = False
    timeout_ms: int = 0

    @cached_property
    def name(self) -> str:
        """Its name within the run."""
        return f"{self.scope}:{self.node}"


class Feed(Struct, frozen=True, cache_hash=True, dict=True):
    """A slot that a piece of work may yet lead to a message for; the bus counts such work for each slot."""

    join: Join
    slot: str

    @cached_property
    def name(self) -> str:
        """Its name within the run."""
        return f"{self.join.name}:{self.slot}"


class Emit(Struct, frozen=True, tag=True):
    """Output: append to a group's stream.

    Attributes:
        feeds: What it may lead to; every output has them.
    """

    group: str
    frame: bytes
    feeds: tuple[Feed, ...] = ()


class Arrive(Struct, frozen=True, tag=True):
    """Output: a message for a slot of a join. A second one for a slot, or one after the join has fired, is absorbed.

    Attributes:
        feeds: What the join's own item may lead to.
    """

    join: Join
    slot: str
    frame: bytes
    feeds: tuple[Feed, ...] = ()


class Open(Struct, frozen=True, tag=True):
    """Output: a child scope with a gather in it; before the outputs that are in that scope.

    Attributes:
        frame: Stands first in the gathered item, which also comes where nothing was gathered.
        feeds: What the gathered item may lead to.
    """

    join: Join
    frame: bytes
    feeds: tuple[Feed, ...] = ()


class Enqueue(Struct, frozen=True, tag=True):
    """Output: a place in a lane.

    Attributes:
        by_ingress: Use the ticket that the run took at ingress, where it has one left.
    """

    group: str
    lane: str
    frame: bytes
    by_ingress: bool
    feeds: tuple[Feed, ...] = ()


class Schedule(Struct, frozen=True, tag=True):
    """Output: the same item again, due later; an item of a lane keeps its place there.

    Attributes:
        delay_ms: Milliseconds from the commit, by the bus's clock.
        lane: The item's lane, empty for none.
    """

    group: str
    delay_ms: int
    item: Item
    lane: str = ""
    feeds: tuple[Feed, ...] = ()


class Alarm(Struct, frozen=True, tag=True):
    """The end of a join's patience: kept like a scheduled item, though it is none and no run counts it."""

    join: Join


class Park(Struct, frozen=True, tag=True):
    """Output: the same item again when a signal comes to the run; at once where it has come already.

    The signal's frame is then the last of the item's frames.
    """

    group: str
    signal: str
    item: Item
    feeds: tuple[Feed, ...] = ()


Output = Emit | Arrive | Open | Enqueue | Schedule | Park


class Terminal(Struct, frozen=True):
    """The end of a run.

    Attributes:
        state: Any but open.
        blob: The result or failure, as `headrace.ledger.terminal` encodes it; empty for an empty result.
    """

    state: RunState
    blob: bytes


class RunEvent(Struct, frozen=True):
    """One event of a run, as it is kept: what a call told, or that a call begins anew, or the run's end.

    Attributes:
        seq: Its place in the run, from 1 on; the order that counts.
        at_ms: When it was kept, in Unix milliseconds by the bus's clock.
        blob: What was told.
        replaced: The call whose earlier events are void, because it is done again.
        terminal: The run's end; nothing comes after it.
    """

    seq: int
    at_ms: int
    blob: bytes = b""
    replaced: str = ""
    terminal: Terminal | None = None


class Settled(Struct, frozen=True):
    """How one item of a delivery ended.

    Attributes:
        trace_id: The item's run; empty where an entry that cannot be decoded does not tell it. A dead letter is kept
            also where the run is unknown.
        ticket: As the item's.
        outputs: In emission order; none where the terminal is not that of a completed run.
        terminal: Ends the run, unless it has ended already.
        dead: A dead letter for the group, encoded; None for none. The run may have completed: another branch failed.
        tickets: Lanes in which the run took tickets at ingress, each with the group it feeds.
        feeds: What the item might have led to, as its output said when it was recorded.
        stash: As the item's; it is deleted, unless an output brings the item back.
        keeps_events: Whether the run keeps its events.
        told: Such events; those that were told before are left out.
    """

    trace_id: str
    ticket: int = 0
    outputs: tuple[Output, ...] = ()
    terminal: Terminal | None = None
    dead: bytes | None = None
    tickets: tuple[tuple[str, str], ...] = ()
    feeds: tuple[Feed, ...] = ()
    stash: str = ""
    keeps_events: bool = False
    told: tuple[Told, ...] = ()


class Commit(Struct, frozen=True):
    """The end of a hop.

    Attributes:
        settled: How its items ended; of a lane's entry, a prefix.
        rest: The items of a lane's entry not settled, which go back to their places.
        lane: The entry's lane, empty for none.
        state: The lane's new state; None leaves it as it is.
        limit: The most items that the lane hands out next, 0 for the bus's own limit.
        state_ttl_ms: With `state`: milliseconds that it is kept when the lane has nothing to do; 0 for ever.
    """

    partition: int
    delivery_id: str
    settled: tuple[Settled, ...]
    rest: tuple[Item, ...] = ()
    lane: str = ""
    state: bytes | None = None
    limit: int = 0
    state_ttl_ms: int = 0


class Submission(Struct, frozen=True):
    """The start of a run.

    Attributes:
        outputs: Where the entry message goes.
        tickets: Lanes to take a ticket in, each with the group it feeds.
        inbox: Who waits for the terminal event, empty for nobody.
        timeout_ms: Milliseconds from the submission, by the bus's clock, after which the run expires; 0 for never.
        most_open: The most runs of the pipe that may be open in its partition, it included; 0 for any number. Only runs
            that are started with such a bound are counted.
        fingerprint: Stands in the run's record, to tell whether another submission asks for the same; empty for none.
        keeps_events: Keep what its nodes tell, for those who follow it.
        entry: The entry message's frame, which stands in the run's record on a server, so that the run can be replayed;
            empty to keep none.
    """

    trace_id: str
    pipe: str
    plan: str
    outputs: tuple[Output, ...]
    tickets: tuple[tuple[str, str], ...] = ()
    inbox: str = ""
    timeout_ms: int = 0
    most_open: int = 0
    fingerprint: str = ""
    keeps_events: bool = False
    entry: bytes = b""


class Load(Struct, frozen=True):
    """How many runs of a pipe were started with a bound on the open ones, and how many of these have ended."""

    started: int = 0
    ended: int = 0

    @property
    def open(self) -> int:
        """How many are under way."""
        return self.started - self.ended


class RunView(Struct, frozen=True):
    """A run as its record shows it.

    Attributes:
        terminal: None while it is open.
        in_flight: Entries in streams, scheduled, parked in lanes or for a signal, and waiting at joins.
        waiting: Of these, those that wait at joins.
        created_ms: Unix time in milliseconds.
        fingerprint: As its submission gave it.
        keeps_events: Whether its events can be followed.
    """

    trace_id: str
    pipe: str
    plan: str
    terminal: Terminal | None
    in_flight: int
    waiting: int
    created_ms: int
    fingerprint: str = ""
    keeps_events: bool = False


class TerminalEvent(Struct, frozen=True):
    """The event that ends a run, as the replies stream carries it."""

    trace_id: str
    terminal: Terminal
    partition: int = 0
    id: str = ""


class Letter(Struct, frozen=True):
    """A dead letter where it lies.

    Attributes:
        id: Its place among the group's dead letters.
        blob: As `headrace.ledger.dead_letter` encodes it.
    """

    partition: int
    id: str
    blob: bytes
