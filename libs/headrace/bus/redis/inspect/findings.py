"""What an inspection may find wrong, in words that say what it means and what to do. Pure."""

from enum import StrEnum

from msgspec import Struct


class Verdict(StrEnum):
    """What a check says: it holds, it may not, it does not, or the server does not tell."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"


class Kind(StrEnum):
    """What is wrong."""

    CONSERVATION = "conservation"
    STUCK = "stuck"
    ENDED_MISCOUNT = "ended_miscount"
    JOINS_LEFT = "joins_left"
    SPILL_LEFT = "spill_left"
    EVENTS_LEFT = "events_left"
    UNKNOWN_RUN_IN_STREAM = "unknown_run_in_stream"
    UNKNOWN_RUN_SCHEDULED = "unknown_run_scheduled"
    UNREADABLE_SCHEDULED = "unreadable_scheduled"
    ABANDONED_LEFT = "abandoned_left"
    WAITER_OF_UNKNOWN_RUN = "waiter_of_unknown_run"
    WAITER_NOT_TOLD = "waiter_not_told"
    TICKET_OF_ENDED_RUN = "ticket_of_ended_run"
    TICKET_OF_NOBODY = "ticket_of_nobody"
    PARKED_WITHOUT_TICKET = "parked_without_ticket"
    LANE_STANDS_STILL = "lane_stands_still"
    SILENT_CONSUMER = "silent_consumer"
    NOBODY_READS = "nobody_reads"
    NOBODY_PROMOTES = "nobody_promotes"


class Finding(Struct, frozen=True):
    """Something wrong.

    Attributes:
        key: The key in Redis that it is seen by.
        run: The trace_id of the run that it concerns, empty for none.
        subject: What in the key it is: a ticket, a consumer; empty for all of it.
        numbers: What was counted, by name.
    """

    kind: Kind
    key: str
    run: str = ""
    subject: str = ""
    numbers: tuple[tuple[str, int], ...] = ()

    @property
    def identity(self) -> tuple[object, ...]:
        """What makes it the same one in a later look; a run whose numbers change is not, a queue that grows is."""
        return self.kind, self.key, self.run, self.subject, self.numbers if self.run else ()

    @property
    def verdict(self) -> Verdict:
        """How bad it is."""
        return Verdict.WARN if self.kind in _WARNINGS else Verdict.FAIL

    @property
    def what(self) -> str:
        """What is wrong."""
        return _WHAT[self.kind]

    @property
    def advice(self) -> str:
        """What to do."""
        return _ADVICE[self.kind]


_WARNINGS = frozenset(
    {
        Kind.ENDED_MISCOUNT,
        Kind.UNKNOWN_RUN_IN_STREAM,
        Kind.UNKNOWN_RUN_SCHEDULED,
        Kind.SILENT_CONSUMER,
        Kind.NOBODY_READS,
        Kind.NOBODY_PROMOTES,
    }
)
_WHAT = {
    Kind.CONSERVATION: "the run's work is not what its record counts",
    Kind.STUCK: "the run is open and nothing can move it: all that is left of it waits at joins",
    Kind.ENDED_MISCOUNT: "a run that has ended counts other work under way than there is",
    Kind.JOINS_LEFT: "what waited at joins is there, and its run is gone or has ended",
    Kind.SPILL_LEFT: "outputs of a hop are kept, and nothing will record them",
    Kind.EVENTS_LEFT: "events are kept for ever, and their run is gone or has ended",
    Kind.UNKNOWN_RUN_IN_STREAM: "an entry is of a run that nobody knows (any more)",
    Kind.UNKNOWN_RUN_SCHEDULED: "a scheduled item is of a run that nobody knows (any more)",
    Kind.UNREADABLE_SCHEDULED: "scheduled items cannot be read: another version wrote them",
    Kind.ABANDONED_LEFT: "the run is listed as abandoned, and nothing of it is under way",
    Kind.WAITER_OF_UNKNOWN_RUN: "somebody waits for a run that nobody knows",
    Kind.WAITER_NOT_TOLD: "somebody waits for a run that has ended, and no terminal event is on its way",
    Kind.TICKET_OF_ENDED_RUN: "a run that has ended still holds its place in a lane: what is behind it waits",
    Kind.TICKET_OF_NOBODY: "a place in a lane belongs to nothing under way: what is behind it waits",
    Kind.PARKED_WITHOUT_TICKET: "an item is parked in a lane without a place: it will never be handed out",
    Kind.LANE_STANDS_STILL: "the lane's head is ready and was not handed out",
    Kind.SILENT_CONSUMER: "a consumer holds entries and has been silent for long: no live worker takes them over",
    Kind.NOBODY_READS: "entries wait and no live worker reads the group",
    Kind.NOBODY_PROMOTES: "scheduled items are long overdue: no live worker of the group promotes them",
}
_FREE_LANE = "give the place back: ZREM the ticket from the tickets key; the next commit of the lane hands out"
_START = "start workers of the group"
_ADVICE = {
    Kind.CONSERVATION: "headrace trace RUN shows where it waits; less than counted never ends: headrace cancel RUN",
    Kind.STUCK: "headrace trace RUN shows the joins; headrace cancel RUN ends it",
    Kind.ENDED_MISCOUNT: "nothing: its record is forgotten in its time; then SREM the run from the abandoned key",
    Kind.JOINS_LEFT: "UNLINK the key: nothing will read it",
    Kind.SPILL_LEFT: "headrace cancel RUN, where it is open, and UNLINK the key",
    Kind.EVENTS_LEFT: "UNLINK the key: nobody will look for it",
    Kind.UNKNOWN_RUN_IN_STREAM: "nothing, where workers run: it is dropped when it is read",
    Kind.UNKNOWN_RUN_SCHEDULED: "nothing, where workers run: it is dropped when it is due",
    Kind.UNREADABLE_SCHEDULED: "run workers of the version that wrote them; this one cannot promote them",
    Kind.ABANDONED_LEFT: "SREM the run from the key",
    Kind.WAITER_OF_UNKNOWN_RUN: "nothing for the caller, whose wait runs out; HDEL the run from the key",
    Kind.WAITER_NOT_TOLD: "the caller's wait runs out; the result is at headrace trace RUN; HDEL the run from the key",
    Kind.TICKET_OF_ENDED_RUN: _FREE_LANE,
    Kind.TICKET_OF_NOBODY: _FREE_LANE,
    Kind.PARKED_WITHOUT_TICKET: "headrace cancel the run of the item, and HDEL the field from the lane's key",
    Kind.LANE_STANDS_STILL: "send the lane another message: recording it hands the head out",
    Kind.SILENT_CONSUMER: _START,
    Kind.NOBODY_READS: _START,
    Kind.NOBODY_PROMOTES: _START,
}
