"""Joins and gathers: arrivals, what may still come, and when they fire. Pure; called only by `headrace.ledger.algebra`.

For each slot of a join a run counts its feeders: pieces of work that may yet lead to a message for that slot, by the
plan. A hop changes the counts once, by the difference between what it ended and what it sent on; a join that waits is
itself one piece of work for the slots behind it. At zero nothing can come any more, and the join is looked at at once.
"""

from collections.abc import Iterable, Sequence

from headrace.ledger.runs import end_run
from headrace.ledger.state import Append, Arrivals, Effect, Ledger, Run, Scheduled
from headrace.ledger.tables import TAKES_OUTPUTS
from headrace.ledger.terminal import starved, timed_out
from headrace.ledger.values import Alarm, Arrive, Entry, Feed, Item, Join, Open, Output, RunState

_AT_JOINS = (Arrive, Open)


def net_feeds(ended: Sequence[Feed], outputs: Iterable[Output], later: Sequence[Feed] = ()) -> dict[Feed, int]:
    """Give by how much a hop changes each count of feeders, joins that it reaches aside.

    Args:
        ended: What the work that ended might have led to.
        later: What outputs may lead to that are yet to be recorded.
    """
    sent = [output.feeds for output in outputs if output.feeds and not isinstance(output, _AT_JOINS)]
    if not later and not sent and len(ended) <= 1:  # most plans have no joins, most of what is gathered leads nowhere
        return dict.fromkeys(ended, -1)
    begun = [feed for feeds in sent for feed in feeds]
    change: dict[Feed, int] = {}
    for feed in (*begun, *later):
        change[feed] = change.get(feed, 0) + 1
    for feed in ended:
        change[feed] = change.get(feed, 0) - 1
    return {feed: by for feed, by in change.items() if by}


def arrive(trace_id: str, run: Run, arrival: Arrive, effects: list[Effect]) -> None:
    """Record an arrival; a duplicate, or one after the join has fired, is absorbed (I4)."""
    join = arrival.join
    arrivals = run.joins.get(join.name)
    if arrivals is None and not join.gathers:
        arrivals = _begin(trace_id, run, join, arrival.feeds, effects)
    if arrivals is None or arrivals.has_fired or arrival.slot in arrivals.by_slot:
        return
    if join.gathers:
        arrivals.gathered.append(arrival.frame)
    else:
        arrivals.by_slot[arrival.slot] = arrival.frame
    run.in_flight += 1
    run.waiting += 1


def meet(run: Run, arrival: Arrive, ended: Sequence[Feed]) -> bool:
    """Record work that just sent one message to a join or a gather, where no join has to be looked at for it.

    Args:
        ended: What the work, which is not counted out yet, might have led to.

    Returns:
        Whether it was so; if not, nothing is changed.
    """
    join, slot = arrival.join, arrival.slot
    arrivals = run.joins.get(join.name)
    is_first = arrivals is None
    if arrivals is None and not (join.gathers or join.timeout_ms):
        arrivals = Arrivals()
    if arrivals is None or arrivals.has_fired:
        return False
    if not join.gathers and (slot in arrivals.by_slot or not _waits_for_more(run, join, arrivals, slot)):
        return False
    if not _end_feeders(run, arrival, ended):
        return False
    if is_first:
        run.joins[join.name] = arrivals
        _count_all(run, arrival.feeds)
    if join.gathers:
        arrivals.gathered.append(arrival.frame)
    else:
        arrivals.by_slot[slot] = arrival.frame
    run.waiting += 1
    return True


def meet_last(run: Run, arrival: Arrive, ended: Sequence[Feed], effects: list[Effect]) -> bool:
    """Record work that just sent the last message that a join waits for, where no other join has to be looked at.

    Args:
        ended: As `meet`'s.

    Returns:
        Whether it was so, and the join has fired; if not, nothing is changed.
    """
    join, slot = arrival.join, arrival.slot
    arrivals = run.joins.get(join.name)
    if arrivals is None or arrivals.has_fired or join.gathers or run.state not in TAKES_OUTPUTS:
        return False
    if slot in arrivals.by_slot or len(arrivals.by_slot) + 1 < len(join.slots):
        return False
    if not _end_feeders(run, arrival, ended):
        return False
    arrivals.by_slot[slot] = arrival.frame
    run.waiting += 1
    _fire(run, join, arrivals, effects)
    return True


def _end_feeders(run: Run, arrival: Arrive, ended: Sequence[Feed]) -> bool:
    """Count work out, unless a slot is left without any that could fill it; the one that it fills needs no more."""
    join, feeders = arrival.join, run.feeders
    for feed in ended:
        is_filled = feed.slot == arrival.slot and not join.gathers and feed.join == join
        if not is_filled and feeders.get(feed.name, 0) <= 1:
            return False
    for feed in ended:
        _count(run, feed, -1)
    return True


def open_scope(trace_id: str, run: Run, opening: Open, effects: list[Effect]) -> None:
    """Begin a gather, which from now on counts as one piece of work itself."""
    arrivals = _begin(trace_id, run, opening.join, opening.feeds, effects)
    arrivals.opening = opening.frame
    run.in_flight += 1
    run.waiting += 1


def settle_joins(
    ledger: Ledger, trace_id: str, run: Run, change: dict[Feed, int], outputs: Sequence[Output], effects: list[Effect]
) -> None:
    """Change the counts of feeders, then look at every join that was reached or lost a feeder: fire, starve or wait."""
    reached = [output.join for output in outputs if isinstance(output, _AT_JOINS)]
    if run.state not in TAKES_OUTPUTS or not (change or reached):
        return
    if run.feeders:
        for feed, by in change.items():
            _count(run, feed, by)
    else:  # a run begins
        run.feeders = {feed.name: by for feed, by in change.items() if by > 0}
    if not run.joins:
        return
    bereft = [feed.join for feed, by in change.items() if by < 0]
    for join in dict.fromkeys((*reached, *bereft)):
        arrivals = run.joins.get(join.name)
        if arrivals is not None and not arrivals.has_fired and run.state in TAKES_OUTPUTS:
            _look(ledger, trace_id, run, join, effects)


def ring(ledger: Ledger, trace_id: str, run: Run, alarm: Alarm, effects: list[Effect]) -> None:
    """End a join's patience: it fires where just optional slots are empty, and fails its run otherwise."""
    join = alarm.join
    arrivals = run.joins.get(join.name)
    if arrivals is None or arrivals.has_fired:
        return
    if not join.gathers and all(slot in arrivals.by_slot for slot in join.slots if slot not in join.optional):
        _fire(run, join, arrivals, effects)
    elif run.state is RunState.OPEN:
        end_run(ledger, trace_id, run, timed_out(join.node, join.group), effects)


def _begin(trace_id: str, run: Run, join: Join, feeds: tuple[Feed, ...], effects: list[Effect]) -> Arrivals:
    arrivals = run.joins[join.name] = Arrivals()
    _count_all(run, feeds)
    if join.timeout_ms:
        effects.append(Scheduled(trace_id, join.group, join.timeout_ms, Alarm(join)))
    return arrivals


def _waits_for_more(run: Run, join: Join, arrivals: Arrivals, filled: str) -> bool:
    """Tell whether the last empty slot, beside the one that is filled just now, can still be fed."""
    for slot in reversed(join.slots):  # most are filled in order
        if slot != filled and slot not in arrivals.by_slot:
            return f"{join.name}:{slot}" in run.feeders
    return False


def _count_all(run: Run, feeds: Sequence[Feed]) -> None:
    for feed in feeds:
        _count(run, feed, 1)


def _count(run: Run, feed: Feed, by: int) -> None:
    feeders, name = run.feeders, feed.name
    count = feeders.get(name, 0) + by
    if count > 0:
        feeders[name] = count
    else:
        feeders.pop(name, None)


def _look(ledger: Ledger, trace_id: str, run: Run, join: Join, effects: list[Effect]) -> None:
    arrivals = run.joins[join.name]
    empty = [slot for slot in join.slots if slot not in arrivals.by_slot]
    lost = [slot for slot in empty if f"{join.name}:{slot}" not in run.feeders]
    if not join.gathers and any(slot not in join.optional for slot in lost):
        if run.state is RunState.OPEN:
            end_run(ledger, trace_id, run, starved(join.node, join.group), effects)
    elif len(lost) == len(empty):
        _fire(run, join, arrivals, effects)


def _fire(run: Run, join: Join, arrivals: Arrivals, effects: list[Effect]) -> None:
    if join.gathers:
        item = Item((arrivals.opening,), stash=join.name if arrivals.gathered else "")
        met = len(arrivals.gathered) + 1
    else:
        item = Item(tuple([arrivals.by_slot[slot] for slot in join.slots if slot in arrivals.by_slot]))
        met = len(item.frames)
        arrivals.by_slot.clear()
    arrivals.has_fired = True
    run.in_flight -= met - 1
    run.waiting -= met
    effects.append(Append(join.group, Entry(items=(item,))))
