"""The commit algebra: what a submission, a commit, a promotion, a signal and a cancellation do to runs and lanes.

Pure functions over a `Ledger`: they change it and return the effects, which the caller carries out in order and as
one step with the change. `bus/redis/lua` is the same algebra for Redis; a property test holds the two together.
Acknowledging the delivery (FENCED) is the caller's, because streams are.
"""

from collections.abc import Sequence

from headrace.ledger.joins import arrive, net_feeds, open_scope, ring, settle_joins
from headrace.ledger.lanes import finish_ticket, park, pump, take_ticket
from headrace.ledger.runs import drain, end_run
from headrace.ledger.state import Append, Cleared, DeadLettered, Effect, Kept, Ledger, Run, Scheduled
from headrace.ledger.tables import RUN_MOVES, TAKES_OUTPUTS
from headrace.ledger.values import (
    Alarm,
    Answer,
    Arrive,
    Commit,
    Emit,
    Enqueue,
    Entry,
    Feed,
    Item,
    Open,
    Output,
    Park,
    RunState,
    Schedule,
    Settled,
    Submission,
    Submitted,
    Terminal,
)


def submit(ledger: Ledger, submission: Submission, now_ms: int) -> tuple[Submitted, list[Effect]]:
    """Open a run and send its entry message on its way.

    Returns:
        The answer, and the effects of a new one; any other changes nothing.
    """
    trace_id = submission.trace_id
    if trace_id in ledger.runs:
        return Submitted.KNOWN, []
    pipe, is_counted = submission.pipe, submission.most_open > 0
    if is_counted:
        started = ledger.started.get(pipe, 0)
        if started - ledger.ended.get(pipe, 0) >= submission.most_open:
            return Submitted.FULL, []
        ledger.started[pipe] = started + 1
    run = Run(
        pipe=pipe,
        plan=submission.plan,
        created_ms=now_ms,
        fingerprint=submission.fingerprint,
        is_counted=is_counted,
    )
    ledger.runs[trace_id] = run
    for lane, group in submission.tickets:
        run.tickets[lane] = take_ticket(ledger, lane, group)
    effects: list[Effect] = []
    for output in submission.outputs:
        _record(ledger, trace_id, run, output, effects)
    match submission.outputs:
        case (Emit() as only,):  # most runs: what one message may lead to is each of another slot
            run.feeders = {feed.name: 1 for feed in only.feeds}
        case outputs:
            settle_joins(ledger, trace_id, run, net_feeds((), outputs), outputs, effects)
    return Submitted.NEW, effects


def commit(ledger: Ledger, commit: Commit) -> tuple[list[Answer], list[Effect]]:
    """End a hop whose delivery has just been acknowledged and deleted.

    Returns:
        An answer a settled item, and the effects.
    """
    effects: list[Effect] = []
    answers = [_settle(ledger, commit, settled, effects) for settled in commit.settled]
    if commit.lane:
        lane = ledger.lanes[commit.lane]
        if commit.state is not None:
            lane.state = commit.state
            lane.state_ttl_ms = commit.state_ttl_ms
        for item in commit.rest:
            park(lane, item)
        pump(ledger, commit.lane, effects, commit.limit)
    return answers, effects


def promote(ledger: Ledger, due: Sequence[tuple[str, Schedule | Alarm]]) -> list[Effect]:
    """Put due items back, each of its run: into its lane, or into its group's stream; and ring due alarms.

    Lanes hand out when all items are in their places, so what comes back together goes out together.
    """
    effects: list[Effect] = []
    lanes: dict[str, None] = {}
    for trace_id, what in due:
        run = ledger.runs.get(trace_id)
        is_wanted = run is not None and takes_work(run)
        if isinstance(what, Alarm):
            if run is not None and is_wanted:
                ring(ledger, trace_id, run, what, effects)
            continue
        if run is not None and not is_wanted:
            _drop(trace_id, run, effects)
        if what.lane:
            lanes[what.lane] = None
            lane = ledger.lanes[what.lane]
            if is_wanted:
                park(lane, what.item)
            else:
                finish_ticket(lane, what.item.ticket)
        elif is_wanted:
            effects.append(Append(what.group, Entry(items=(what.item,))))
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
    end_run(ledger, trace_id, run, terminal, effects)
    return effects


def signal(ledger: Ledger, trace_id: str, signal: str, frame: bytes) -> list[Effect] | None:
    """Give a run a signal, and let go on what is parked for it.

    Returns:
        The effects; None, and nothing changed, where the run is unknown, has nothing under way, or had the signal.
    """
    run = ledger.runs.get(trace_id)
    if run is None or not takes_work(run) or signal in run.signals:
        return None
    run.signals[signal] = frame
    return [_resumed(group, item, frame) for group, item in run.parked.pop(signal, [])]


def record(ledger: Ledger, run: Run, settled: Settled, effects: list[Effect], later: Sequence[Feed] = ()) -> Answer:
    """Record what came of work that is no longer counted as under way.

    Args:
        later: What work may lead to that came of it, too, and is counted already.
    """
    trace_id, outputs = settled.trace_id, settled.outputs
    answer = Answer.COMMITTED
    if settled.told and run.state is RunState.OPEN:  # nothing is told of a run behind its end (I8)
        effects += map(Kept, settled.told)
    for output in outputs:
        _record(ledger, trace_id, run, output, effects)
    if settled.terminal is not None:
        if settled.terminal.state in RUN_MOVES[run.state]:
            end_run(ledger, trace_id, run, settled.terminal, effects)
        else:
            answer = Answer.DUPLICATE
    settle_joins(ledger, trace_id, run, net_feeds(settled.feeds, outputs, later), outputs, effects)
    drain(ledger, trace_id, run, effects)
    return answer


def takes_work(run: Run) -> bool:
    """Whether a run has work, and takes what comes of it; an entry of one that has none has been put in by somebody."""
    return run.state in TAKES_OUTPUTS and run.in_flight > 0


def _settle(ledger: Ledger, commit: Commit, settled: Settled, effects: list[Effect]) -> Answer:
    run = ledger.runs.get(settled.trace_id)
    back = [output.item for output in settled.outputs if isinstance(output, Schedule | Park)]
    is_again = any(isinstance(output, Schedule) and output.lane for output in settled.outputs)
    answer = Answer.COMMITTED
    if run is None or not takes_work(run):
        answer, is_again = Answer.LATE, False
        if run is not None:
            _drop(settled.trace_id, run, effects)
        elif settled.dead is not None:
            answer = Answer.LATE if settled.trace_id else Answer.COMMITTED
            effects.append(DeadLettered(settled.dead))
    else:
        run.in_flight -= 1
        if settled.stash in run.joins and not any(item.stash for item in back):
            run.joins[settled.stash].gathered.clear()
        if settled.dead is not None:
            effects.append(DeadLettered(settled.dead))
        answer = record(ledger, run, settled, effects)
    if commit.lane and not is_again:
        finish_ticket(ledger.lanes[commit.lane], settled.ticket)
    return answer


def _record(ledger: Ledger, trace_id: str, run: Run, output: Output, effects: list[Effect]) -> None:
    match output:
        case Emit(group=group, frame=frame):
            run.in_flight += 1
            effects.append(Append(group, Entry(items=(Item((frame,)),))))
        case Arrive():
            arrive(trace_id, run, output, effects)
        case Open():
            open_scope(trace_id, run, output, effects)
        case Enqueue(lane=lane_id, group=group, frame=frame):
            run.in_flight += 1
            ticket = run.tickets.pop(lane_id, 0) if output.by_ingress else 0
            ticket = ticket or take_ticket(ledger, lane_id, group)
            park(ledger.lanes[lane_id], Item((frame,), ticket))
            pump(ledger, lane_id, effects)
        case Schedule():
            run.in_flight += 1
            effects.append(Scheduled(trace_id, output.group, output.delay_ms, output))
        case Park(signal=signal, group=group, item=item):
            run.in_flight += 1
            if signal in run.signals:
                effects.append(_resumed(group, item, run.signals[signal]))
            else:
                run.parked.setdefault(signal, []).append((group, item))


def _resumed(group: str, item: Item, frame: bytes) -> Append:
    return Append(group, Entry(items=(Item((*item.frames, frame), stash=item.stash),)))


def _drop(trace_id: str, run: Run, effects: list[Effect]) -> None:
    """Count out work of an abandoned run."""
    run.in_flight = max(run.in_flight - 1, 0)
    if run.in_flight <= 0:
        effects.append(Cleared(trace_id))
