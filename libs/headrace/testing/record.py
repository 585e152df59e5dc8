"""What happened in a trial: the places where a worker could have crashed, what each hop gave, order and state per key.

A message is told by its place among those of the trial, not by its trace_id, so that records of two trials compare.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from enum import StrEnum

from msgspec import Struct

from headrace.kernel.events import KernelEvent
from headrace.ledger.dead_letter import DeadLetter


class CrashPoint(StrEnum):
    """Where in a hop its worker crashes."""

    AFTER_READ = "after its read"
    IN_NODE = "in the node, before its outputs"
    BEFORE_COMMIT = "before its commit"
    AFTER_COMMIT = "after its commit, before the answer"


class Crash(Struct, frozen=True):
    """One place where a worker may crash.

    Attributes:
        message: Whose run it was, by its place among the messages; from 1.
        call: Which call of the node in that run; from 1.
    """

    point: CrashPoint
    message: int
    node: str
    call: int


class Message(Struct, frozen=True):
    """A message as it stood in an envelope, or, with an empty slot, as a run's terminal."""

    slot: str
    type: str
    body: bytes


class Hop(Struct, frozen=True):
    """What one committed call took and gave.

    Attributes:
        message: As a crash's.
    """

    message: int
    node: str
    taken: tuple[Message, ...]
    given: tuple[Message, ...]


@dataclass(slots=True, kw_only=True)
class Record:
    """What happened in a trial.

    Attributes:
        crash: Where this trial's worker is to crash; None for nowhere.
        crashes: Every place where one could have, in the order they were passed.
        hops: Committed, in that order.
        lanes: The committed work of each lane, in that order.
        states: The last committed state of each lane.
        terminals: By trace_id, how many terminal events the run's caller was told.
        has_crashed: Whether `crash` was passed.
    """

    crash: Crash | None = None
    crashes: list[Crash] = field(default_factory=list[Crash])
    events: list[KernelEvent] = field(default_factory=list[KernelEvent])
    hops: list[Hop] = field(default_factory=list[Hop])
    lanes: defaultdict[str, list[Hop]] = field(default_factory=lambda: defaultdict[str, list[Hop]](list))
    states: dict[str, bytes] = field(default_factory=dict[str, bytes])
    dead_letters: list[DeadLetter] = field(default_factory=list[DeadLetter])
    terminals: Counter[str] = field(default_factory=Counter[str])
    has_crashed: bool = False
    _messages: dict[str, int] = field(default_factory=dict[str, int])
    _calls: Counter[tuple[CrashPoint, int, str]] = field(default_factory=Counter[tuple[CrashPoint, int, str]])

    @property
    def trace_ids(self) -> tuple[str, ...]:
        """The runs, in the order of their messages."""
        return tuple(self._messages)

    def start(self, trace_id: str) -> None:
        """Note that a run starts, for the next message."""
        self._messages.setdefault(trace_id, len(self._messages) + 1)

    def message_of(self, trace_id: str) -> int:
        """Tell whose run it is."""
        return self._messages[trace_id]

    def passes(self, point: CrashPoint, trace_id: str, node: str) -> bool:
        """Note that a worker passes a place where it may crash; tells whether it does."""
        message = self._messages[trace_id]
        self._calls[point, message, node] += 1
        place = Crash(point, message, node, self._calls[point, message, node])
        self.crashes.append(place)
        self.has_crashed = self.has_crashed or place == self.crash
        return place == self.crash
