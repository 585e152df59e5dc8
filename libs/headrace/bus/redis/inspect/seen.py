"""What one look at a server saw: values that `look` fills in and `judge` reads."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

Lane = tuple[int, str]
"""A lane: its partition and its name."""

Ticket = tuple[int, str, str]
"""A ticket: its lane's partition, its lane, its number."""


@dataclass(frozen=True, slots=True)
class Record:
    """The counters of a run's record.

    Attributes:
        tickets: By lane, those that it took at ingress and has not used.
    """

    state: str
    in_flight: int
    waiting: int
    suspended: int
    tickets: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def keeps_joins(self) -> bool:
        """Whether something of it may wait at joins or for signals."""
        return self.state == "open" or (self.state == "completed" and self.in_flight > 0)


@dataclass(slots=True)
class Found:
    """A run's work, counted where it is.

    Attributes:
        stream: The key of a stream that has work of it; empty for none.
        schedule: The key of a schedule that has.
    """

    streams: int = 0
    scheduled: int = 0
    spilled: int = 0
    lanes: int = 0
    joins: int = 0
    suspended: int = 0
    stream: str = ""
    schedule: str = ""

    @property
    def total(self) -> int:
        """All of it."""
        return self.streams + self.scheduled + self.spilled + self.lanes + self.joins + self.suspended


@dataclass(slots=True)
class Queue:
    """A lane as it was seen.

    Attributes:
        head: Its first ticket, read last.
        tickets: Those not settled, read first.
        parked: Those whose items are there.
    """

    head: str = ""
    tickets: set[str] = field(default_factory=set[str])
    parked: set[str] = field(default_factory=set[str])


@dataclass(slots=True)
class Group:
    """A group's stream and its readers.

    Attributes:
        name: `pipe.group`.
        entries: How many stand in it.
        first_ms: When the oldest came, in Unix milliseconds; 0 where there is none.
        consumers: Of each its name, how many entries it holds, and for how many milliseconds it has been silent.
    """

    stream: str
    name: str = ""
    entries: int = 0
    first_ms: int = 0
    consumers: tuple[tuple[str, int, int], ...] = ()


@dataclass(slots=True)
class Seen:
    """All that one look saw.

    Attributes:
        now_ms: The server's time at its end.
        joins: Runs that keep something at joins, each with the key.
        out: Tickets of items that are in a stream or in a schedule.
        waiters: Runs that are waited for, each with the key.
        spills: Lists of outputs that nothing in a schedule names, though they will not expire, each with its run.
        events: Runs whose events will not expire, each with the key.
        told: Runs whose terminal event waits for a coordinator.
        abandoned: Runs that are listed as abandoned, each with the key.
        paused: Groups whose workers take nothing.
        unreadable: How many members of each schedule cannot be read, by its key.
        overdue: When the first member of each schedule is due, in Unix milliseconds, by its key.
    """

    now_ms: int = 0
    records: dict[str, Record] = field(default_factory=dict[str, Record])
    found: defaultdict[str, Found] = field(default_factory=lambda: defaultdict(Found))
    joins: dict[str, str] = field(default_factory=dict[str, str])
    lanes: defaultdict[Lane, Queue] = field(default_factory=lambda: defaultdict(Queue))
    out: set[Ticket] = field(default_factory=set[Ticket])
    waiters: dict[str, str] = field(default_factory=dict[str, str])
    spills: dict[str, str] = field(default_factory=dict[str, str])
    events: dict[str, str] = field(default_factory=dict[str, str])
    told: set[str] = field(default_factory=set[str])
    abandoned: dict[str, str] = field(default_factory=dict[str, str])
    paused: set[str] = field(default_factory=set[str])
    unreadable: Counter[str] = field(default_factory=Counter[str])
    overdue: dict[str, float] = field(default_factory=dict[str, float])
    groups: list[Group] = field(default_factory=list[Group])
