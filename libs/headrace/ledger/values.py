"""The vocabulary of a commit: what a worker may ask the bus to record, and what the bus hands a worker.

Values only. The algebra over them is `headrace.ledger.algebra` in Python and `bus/redis/lua` on Redis; frames and
blobs are opaque bytes to both.
"""

from enum import StrEnum

from msgspec import Struct


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


class Item(Struct, frozen=True):
    """One piece of work in a stream entry.

    Attributes:
        frames: The message's frame; for a joined item one frame a slot, in the join's order of slots.
        ticket: Its place in its lane; 0 where the entry is of no lane.
    """

    frames: tuple[bytes, ...]
    ticket: int = 0


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
        id: The entry's id in its stream.
        deliveries: Times it has been handed out, this one included.
    """

    partition: int
    id: str
    deliveries: int
    entry: Entry


class Emit(Struct, frozen=True):
    """Output: append to a group's stream."""

    group: str
    frame: bytes


class Arrive(Struct, frozen=True):
    """Output: an arrival at an ALL join; the one that completes it appends the joined item to the group's stream.

    Attributes:
        slot: The join's parameter that this message is for.
        slots: All of them, in order; the same for every arrival at this join.
        scope: The scope in which the join gathers.
    """

    group: str
    node: str
    slot: str
    slots: tuple[str, ...]
    scope: str
    frame: bytes


class Enqueue(Struct, frozen=True):
    """Output: a place in a lane.

    Attributes:
        by_ingress: Use the ticket that the run took at ingress, where it has one left.
    """

    group: str
    lane: str
    frame: bytes
    by_ingress: bool


class Schedule(Struct, frozen=True):
    """Output: the same item again, due later; an item of a lane keeps its place there.

    Attributes:
        delay_ms: Milliseconds from the commit, by the bus's clock.
        lane: The item's lane, empty for none.
    """

    group: str
    delay_ms: int
    item: Item
    lane: str = ""


Output = Emit | Arrive | Enqueue | Schedule


class Terminal(Struct, frozen=True):
    """The end of a run.

    Attributes:
        state: Any but open.
        blob: The result or failure, as `headrace.ledger.terminal` encodes it; empty for an empty result.
    """

    state: RunState
    blob: bytes


class Settled(Struct, frozen=True):
    """How one item of a delivery ended.

    Attributes:
        trace_id: The item's run; empty for an entry that could not be decoded, which then only becomes a dead letter.
        ticket: As the item's.
        outputs: In emission order; empty where `dead` is given.
        terminal: Ends the run, unless it has ended already.
        dead: A dead letter for the group, encoded; None for none.
        tickets: Lanes in which the run took tickets at ingress, each with the group it feeds.
    """

    trace_id: str
    ticket: int = 0
    outputs: tuple[Output, ...] = ()
    terminal: Terminal | None = None
    dead: bytes | None = None
    tickets: tuple[tuple[str, str], ...] = ()


class Commit(Struct, frozen=True):
    """The end of a hop.

    Attributes:
        settled: How its items ended; of a lane's entry, a prefix.
        rest: The items of a lane's entry not settled, which go back to their places.
        lane: The entry's lane, empty for none.
        state: The lane's new state; None leaves it as it is.
        limit: The most items that the lane hands out next, 0 for the bus's own limit.
    """

    partition: int
    delivery_id: str
    settled: tuple[Settled, ...]
    rest: tuple[Item, ...] = ()
    lane: str = ""
    state: bytes | None = None
    limit: int = 0


class Submission(Struct, frozen=True):
    """The start of a run.

    Attributes:
        outputs: Where the entry message goes.
        tickets: Lanes to take a ticket in, each with the group it feeds.
        inbox: Who waits for the terminal event, empty for nobody.
    """

    trace_id: str
    pipe: str
    plan: str
    outputs: tuple[Output, ...]
    tickets: tuple[tuple[str, str], ...] = ()
    inbox: str = ""


class RunView(Struct, frozen=True):
    """A run as its record shows it.

    Attributes:
        terminal: None while it is open.
        in_flight: Entries in streams, scheduled, parked in lanes and waiting at joins.
        created_ms: Unix time in milliseconds.
    """

    trace_id: str
    pipe: str
    plan: str
    terminal: Terminal | None
    in_flight: int
    created_ms: int


class TerminalEvent(Struct, frozen=True):
    """The event that ends a run, as the replies stream carries it."""

    trace_id: str
    terminal: Terminal
    partition: int = 0
    id: str = ""
