"""The commit algebra: what a submission, a commit, a promotion and a cancellation do to runs and lanes.

Pure functions over a `Ledger`: they change it and return the effects, which the caller carries out in order and as
one step with the change. `bus/redis/lua` is the same algebra for Redis; a property test holds the two together.
Acknowledging the delivery (FENCED) is the caller's, because streams are.
"""

from collections.abc import Sequence

from headrace.ledger.lanes import finish_ticket, give_back, park, pump, take_ticket
from headrace.ledger.state import Append, DeadLettered, Drained, Effect, Ended, Join, Ledger, Run, Scheduled
from headrace.ledger.tables import RUN_MOVES, TAKES_OUTPUTS
from headrace.ledger.values import (
    Answer,
    Arrive,
    Commit,
    Emit,
    Enqueue,
    Entry,
    Item,
    Output,
    RunState,
    Schedule,
    Settled,
    Submission,
    Terminal,
)


def submit(ledger: Ledger, submission: Submission, now_ms: int) -> list[Effect] | None:
    """Open a run and send its entry message on its way.

    Returns:
        The effects; None, and nothing changed, where a run of this trace_id is there already.
    """
    if submission.trace_id in ledger.runs:
        return None
    run = Run(pipe=submission.pipe, plan=submission.plan, created_ms=now_ms)
    ledger.runs[submission.trace_id] = run
    for lane, group in submission.tickets:
        run.tickets[lane] = take_ticket(ledger, lane, group)
    effects: list[Effect] = []
    for output in submission.outputs:
        _record(ledger, submission.trace_id, run, output, effects)
    return effects


def commit(ledger: Ledger, commit: Commit, starved: Terminal) -> tuple[list[Answer], list[Effect]]:
    """End a hop whose delivery has just been acknowledged and deleted.

    Args:
        starved: The terminal of a run whose joins can no longer be fed.

    Returns:
        An answer a settled item, and the effects.
    """
    effects: list[Effect] = []
    answers = [_settle(ledger, commit, settled, starved, effects) for settled in commit.settled]
    if commit.lane:
        lane = ledger.lanes[commit.lane]
        if commit.state is not None:
            lane.state = commit.state
        for item in commit.rest:
            park(lane, item)
        pump(ledger, commit.lane, effects, commit.limit)
    return answers, effects


def promote(ledger: Ledger, due: Sequence[tuple[str, Schedule]]) -> list[Effect]:
    """Put due items back, each of its run: into its lane, or into its group's stream.

    Lanes hand out when all items are in their places, so what comes back together goes out together.
    """
    effects: list[Effect] = []
    lanes: dict[str, None] = {}
    for trace_id, schedule in due:
        run = ledger.runs.get(trace_id)
        is_wanted = run is not None and run.state in TAKES_OUTPUTS
        if run is not None and not is_wanted:
            run.in_flight -= 1
        if schedule.lane:
            lanes[schedule.lane] = None
            lane = ledger.lanes[schedule.lane]
            if is_wanted:
                park(lane, schedule.item)
            else:
                finish_ticket(lane, schedule.item.ticket)
        elif is_wanted:
            effects.append(Append(schedule.group, Entry(items=(schedule.item,))))
    for lane_id in lanes:
        pump(ledger, lane_id, effects)
    return effects


def end(ledger: Ledger, trace_id: str, terminal: Terminal) -> list[Effect] | None:
    """End a run from outside a hop: cancel it, or let it expire.

    Returns:
        The effects; None, and nothing changed, where the run is unknown or has ended.
    """
    run = ledger.runs.get(trace_id)
    if run is None or terminal.state not in RUN_MOVES[run.state]:
        return None
    effects: list[Effect] = []
    _end(ledger, trace_id, run, terminal, effects)
    return effects


def _settle(ledger: Ledger, commit: Commit, settled: Settled, starved: Terminal, effects: list[Effect]) -> Answer:
    run = ledger.runs.get(settled.trace_id)
    is_again = any(isinstance(output, Schedule) and output.lane for output in settled.outputs)
    answer = Answer.COMMITTED
    if run is None or run.state not in TAKES_OUTPUTS:
        answer, is_again = Answer.LATE, False
        if run is not None:
            run.in_flight -= 1
        elif not settled.trace_id and settled.dead is not None:
            answer = Answer.COMMITTED
            effects.append(DeadLettered(settled.dead))
    else:
        run.in_flight -= 1
        if settled.dead is not None:
            effects.append(DeadLettered(settled.dead))
        for output in settled.outputs:
            _record(ledger, settled.trace_id, run, output, effects)
        if settled.terminal is not None:
            if settled.terminal.state in RUN_MOVES[run.state]:
                _end(ledger, settled.trace_id, run, settled.terminal, effects)
            else:
                answer = Answer.DUPLICATE
        _drain(ledger, settled.trace_id, run, starved, effects)
    if commit.lane and not is_again:
        finish_ticket(ledger.lanes[commit.lane], settled.ticket)
    return answer


def _record(ledger: Ledger, trace_id: str, run: Run, output: Output, effects: list[Effect]) -> None:
    match output:
        case Emit(group=group, frame=frame):
            run.in_flight += 1
            effects.append(Append(group, Entry(items=(Item((frame,)),))))
        case Arrive():
            _arrive(run, output, effects)
        case Enqueue(lane=lane_id, group=group, frame=frame):
            run.in_flight += 1
            ticket = run.tickets.pop(lane_id, 0) if output.by_ingress else 0
            ticket = ticket or take_ticket(ledger, lane_id, group)
            park(ledger.lanes[lane_id], Item((frame,), ticket))
            pump(ledger, lane_id, effects)
        case Schedule():
            run.in_flight += 1
            effects.append(Scheduled(trace_id, output))


def _arrive(run: Run, arrival: Arrive, effects: list[Effect]) -> None:
    """Record an arrival; a duplicate, or one after the join has fired, is absorbed (I4)."""
    join = run.joins.setdefault((arrival.node, arrival.scope), Join())
    if join.waiting is None or arrival.slot in join.waiting:
        return
    join.waiting[arrival.slot] = arrival.frame
    run.in_flight += 1
    run.waiting += 1
    if len(join.waiting) < len(arrival.slots):
        return
    frames = tuple(join.waiting[slot] for slot in arrival.slots)
    join.waiting = None
    run.in_flight -= len(frames) - 1
    run.waiting -= len(frames)
    effects.append(Append(arrival.group, Entry(items=(Item(frames),))))


def _drain(ledger: Ledger, trace_id: str, run: Run, starved: Terminal, effects: list[Effect]) -> None:
    """Close the root scope when nothing is left that could move: complete, starve, or let the record age."""
    if run.in_flight > run.waiting:
        return
    if run.state is RunState.OPEN:
        is_starved = run.waiting > 0
        _end(ledger, trace_id, run, starved if is_starved else Terminal(RunState.COMPLETED, b""), effects)
    if run.state is RunState.COMPLETED:
        _let_go(ledger, trace_id, run, effects)


def _end(ledger: Ledger, trace_id: str, run: Run, terminal: Terminal, effects: list[Effect]) -> None:
    run.state = terminal.state
    run.terminal = terminal
    effects.append(Ended(trace_id, terminal))
    if run.state not in TAKES_OUTPUTS:
        _let_go(ledger, trace_id, run, effects)


def _let_go(ledger: Ledger, trace_id: str, run: Run, effects: list[Effect]) -> None:
    """Free what an ended run holds: arrivals at joins, and its unused tickets, so that their lanes move on."""
    run.in_flight -= run.waiting
    run.waiting = 0
    run.joins.clear()
    for lane_id, ticket in run.tickets.items():
        give_back(ledger, lane_id, ticket, effects)
    run.tickets.clear()
    effects.append(Drained(trace_id))
