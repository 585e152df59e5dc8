"""Calls of the scripts: what each is given. Pure."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from headrace.bus.redis.call import Call, Holds, Limits, Spill, raw
from headrace.bus.redis.keys import Keys
from headrace.ledger.terminal import STARVED
from headrace.ledger.told import Told
from headrace.ledger.values import Commit, Feed, Letter, Output, Submission, Terminal, TerminalEvent

INBOX_KEPT_MS = 3_600_000  # after its last event: whoever reads it has asked anew by then, or is gone


class Staged(Struct, frozen=True):
    """A commit that is ready to be sent.

    Attributes:
        commit: With no more outputs than one call can hold.
        spills: For each settled item the outputs that come later, None for none.
    """

    commit: Commit
    spills: tuple[Spill | None, ...]


class Part(Struct, frozen=True):
    """The first part of a spill, that is to be recorded.

    Attributes:
        member: The spill's, in the schedule.
        length: Of the whole list, which tells whether another has been here.
        feeds: What its outputs might have led to as they lay there.
    """

    trace_id: str
    key: str
    member: bytes
    length: int
    outputs: tuple[Output, ...]
    feeds: tuple[Feed, ...]


def commit_call(
    keys: Keys, group: str, commits: list[Staged], consumers: str, limits: Limits, inboxes: Iterable[str] = ()
) -> Call:
    """Spell a call of `commit`.

    Args:
        inboxes: To which terminals may be told at once.
    """
    call = _run_call(keys, limits, keys.stream(group), keys.dead(group), keys.replied)
    names = list(inboxes)
    call.add(consumers, raw(STARVED.blob), INBOX_KEPT_MS, len(names))
    for name in names:
        call.add(name, call.number(keys.inbox(name)))
    call.add(len(commits))
    for staged in commits:
        call.commit(group, staged.commit, staged.spills)
    return call


def unspill_call(keys: Keys, group: str, part: Part, holds: Holds, limits: Limits) -> Call:
    """Spell a call of `unspill`."""
    call = _run_call(keys, limits, keys.scheduled(group), part.key, *keys.run(part.trace_id))
    call.add(raw(STARVED.blob), raw(part.member), part.length, len(part.outputs), part.trace_id)
    call.holds(part.trace_id, holds.tickets, keeps_events=holds.keeps_events)
    call.work(part.trace_id, part.feeds, part.outputs)
    return call


def submit_call(keys: Keys, submissions: Sequence[Submission], limits: Limits) -> Call:
    """Spell a call of `submit`."""
    call = _run_call(keys, limits)
    call.add(len(submissions))
    for submission in submissions:
        call.submission(submission)
    return call


def redrive_call(keys: Keys, group: str, letter: Letter, submission: Submission, limits: Limits) -> Call:
    """Spell a call of `submit` that takes a dead letter out."""
    call = _run_call(keys, limits)
    call.add(1)
    call.submission(submission, keys.dead(group), letter.id)
    return call


def end_call(keys: Keys, trace_id: str, terminal: Terminal, holds: Holds, limits: Limits) -> Call:
    """Spell a call of `end`."""
    call = _run_call(keys, limits, *keys.run(trace_id))
    call.add(trace_id, terminal.state, raw(terminal.blob))
    call.holds(trace_id, holds.tickets, keeps_events=holds.keeps_events)
    return call


def promote_call(keys: Keys, group: str, members: list[tuple[bytes, Holds]], limits: Limits) -> Call:
    """Spell a call of `promote`; each member comes with what its run holds."""
    call = _run_call(keys, limits, keys.scheduled(group))
    call.add(len(members))
    for member, holds in members:
        call.due(group, member, holds)
    return call


def signal_call(keys: Keys, trace_id: str, signal: str, frame: bytes, groups: list[str]) -> Call:
    """Spell a call of `signal`."""
    call = Call(keys, *keys.run(trace_id))
    call.add(signal, raw(frame), len(groups))
    for group in groups:
        call.add(group, call.number(keys.stream(group)))
    return call


def tell_call(keys: Keys, told: list[Told], limits: Limits) -> Call:
    """Spell a call of `tell`."""
    call = Call(keys)
    call.add(limits.kept_events, len(told))
    for one in told:
        call.add(call.run(one.trace_id), call.number(keys.events(one.trace_id)))
        call.told([one])
    return call


def deliver_call(keys: Keys, matches: list[tuple[TerminalEvent, tuple[str, ...]]], coordinators: str) -> Call:
    """Spell a call of `deliver`."""
    call = Call(keys, keys.replies, keys.waiters)
    unwaited = [event.id for event, inboxes in matches if not inboxes]
    call.add(coordinators, INBOX_KEPT_MS, len(unwaited), *unwaited, len(matches) - len(unwaited))
    for event, inboxes in matches:
        if not inboxes:
            continue
        call.add(event.id, event.trace_id, event.terminal.state, raw(event.terminal.blob), len(inboxes))
        call.add(*(call.number(keys.inbox(inbox)) for inbox in inboxes))
    return call


def _run_call(keys: Keys, limits: Limits, *first: str) -> Call:
    call = Call(keys, keys.replies, keys.waiters, keys.deadlines, keys.abandoned, keys.control, keys.admitted, *first)
    call.add(limits.retention_ms, limits.lane_batch, limits.kept_events)
    return call
