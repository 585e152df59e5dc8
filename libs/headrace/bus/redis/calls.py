"""Spells script calls: values to KEYS and ARGV, in the order that the scripts' headers give. Pure."""

import msgspec
from msgspec import Struct

from headrace.bus.redis.keys import Keys
from headrace.bus.redis.scripts import Value
from headrace.ledger.terminal import STARVED
from headrace.ledger.values import (
    Arrive,
    Commit,
    Emit,
    Enqueue,
    Output,
    Schedule,
    Settled,
    Submission,
    Terminal,
    TerminalEvent,
)


class Due(Struct, frozen=True, array_like=True):
    """A member of the sorted set of scheduled items."""

    trace_id: str
    schedule: Schedule


_encode_due = msgspec.msgpack.Encoder().encode
_decode_due = msgspec.msgpack.Decoder(Due).decode


class Call:
    """The KEYS and ARGV of one script call; a key named twice stands in KEYS once.

    Args:
        keys: Spells the keys of the partition.
        first: The keys that the script's header numbers.
    """

    def __init__(self, keys: Keys, *first: str) -> None:
        self.keys: list[str] = list(first)
        self.args: list[Value] = []
        self._spell = keys
        self._numbers: dict[tuple[str, ...], int] = {}

    def number(self, *keys: str) -> int:
        """Give the number of the first of some keys that stand side by side in KEYS."""
        number = self._numbers.get(keys)
        if number is None:
            number = self._numbers[keys] = len(self.keys) + 1
            self.keys.extend(keys)
        return number

    def add(self, *values: Value) -> None:
        """Add arguments."""
        self.args.extend(values)

    def lane(self, lane: str, group: str) -> None:
        """Add a lane, which the empty name says is none."""
        self.add(self.number(*self._spell.lane(lane, group)) if lane else 0, lane)

    def output(self, trace_id: str, output: Output) -> None:
        """Add an output."""
        match output:
            case Emit(group=group, frame=frame):
                self.add("emit", self.number(self._spell.stream(group)), frame)
            case Arrive(group=group, frame=frame, slots=slots):
                join = f"{output.node}/{output.scope}"
                self.add("join", self.number(self._spell.stream(group)), join, output.slot, len(slots), *slots, frame)
            case Enqueue(group=group, frame=frame):
                self.add("lane")
                self.lane(output.lane, group)
                self.add(int(output.by_ingress), frame)
            case Schedule(group=group):
                member = _encode_due(Due(trace_id, output))
                self.add("schedule", self.number(self._spell.scheduled(group)), output.delay_ms, member)

    def settled(self, settled: Settled) -> None:
        """Add how one item ended."""
        terminal = settled.terminal
        self.add(
            self.number(*self._spell.run(settled.trace_id)) if settled.trace_id else 0,
            settled.trace_id,
            settled.ticket,
            int(any(isinstance(output, Schedule) and output.lane for output in settled.outputs)),
            terminal.state if terminal else "",
            terminal.blob if terminal else b"",
            int(settled.dead is not None),
            settled.dead or b"",
            len(settled.tickets),
        )
        for lane, group in settled.tickets:
            self.lane(lane, group)
        self.add(len(settled.outputs))
        for output in settled.outputs:
            self.output(settled.trace_id, output)

    def commit(self, group: str, commit: Commit) -> None:
        """Add a commit."""
        self.add(commit.delivery_id)
        self.lane(commit.lane, group)
        self.add(int(commit.state is not None), commit.state or b"", commit.limit, len(commit.settled))
        for settled in commit.settled:
            self.settled(settled)
        self.add(len(commit.rest))
        for item in commit.rest:
            self.add(item.ticket, *item.frames)

    def submission(self, submission: Submission) -> None:
        """Add the start of a run."""
        number = self.number(*self._spell.run(submission.trace_id))
        self.add(number, submission.trace_id, submission.pipe, submission.plan, submission.inbox)
        self.add(len(submission.tickets))
        for lane, group in submission.tickets:
            self.lane(lane, group)
        self.add(len(submission.outputs))
        for output in submission.outputs:
            self.output(submission.trace_id, output)

    def due(self, group: str, member: bytes) -> None:
        """Add a due member of the group's schedule, as `due.lua` gave it."""
        due = _decode_due(member)
        schedule = due.schedule
        self.add(member, self.number(*self._spell.run(due.trace_id)))
        self.lane(schedule.lane, group)
        self.add(self.number(self._spell.stream(group)), schedule.item.ticket)
        self.add(len(schedule.item.frames), *schedule.item.frames)


def commit_call(
    keys: Keys, group: str, commits: list[Commit], consumers: str, retention_ms: int, lane_batch: int
) -> Call:
    """Spell a call of `commit`."""
    call = Call(keys, keys.stream(group), keys.dead(group), keys.replies)
    call.add(consumers, retention_ms, lane_batch, STARVED.blob, len(commits))
    for commit in commits:
        call.commit(group, commit)
    return call


def submit_call(keys: Keys, submissions: list[Submission], lane_batch: int) -> Call:
    """Spell a call of `submit`."""
    call = Call(keys, keys.replies, keys.waiters)
    call.add(lane_batch, len(submissions))
    for submission in submissions:
        call.submission(submission)
    return call


def end_call(
    keys: Keys, trace_id: str, terminal: Terminal, tickets: list[tuple[str, str]], retention_ms: int, lane_batch: int
) -> Call:
    """Spell a call of `end`."""
    call = Call(keys, *keys.run(trace_id), keys.replies)
    call.add(retention_ms, lane_batch, trace_id, terminal.state, terminal.blob, len(tickets))
    for lane, group in tickets:
        call.lane(lane, group)
    return call


def promote_call(keys: Keys, group: str, members: list[bytes], lane_batch: int) -> Call:
    """Spell a call of `promote`."""
    call = Call(keys, keys.scheduled(group))
    call.add(lane_batch, len(members))
    for member in members:
        call.due(group, member)
    return call


def deliver_call(
    keys: Keys, matches: list[tuple[TerminalEvent, tuple[str, ...]]], coordinators: str, keep_ms: int
) -> Call:
    """Spell a call of `deliver`."""
    call = Call(keys, keys.replies, keys.waiters)
    call.add(coordinators, keep_ms, len(matches))
    for event, inboxes in matches:
        call.add(event.id, event.trace_id, event.terminal.state, event.terminal.blob, len(inboxes))
        call.add(*(call.number(keys.inbox(inbox)) for inbox in inboxes))
    return call
