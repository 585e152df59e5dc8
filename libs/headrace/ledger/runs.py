"""The end of a run: by a terminal, by draining, and what it lets go of then. Pure; called only within the ledger."""

from headrace.ledger.lanes import give_back
from headrace.ledger.state import Abandoned, Drained, Effect, Ended, Ledger, Run
from headrace.ledger.tables import TAKES_OUTPUTS
from headrace.ledger.terminal import STARVED
from headrace.ledger.values import RunState, Terminal


def end_run(ledger: Ledger, trace_id: str, run: Run, terminal: Terminal, effects: list[Effect]) -> None:
    """Give a run its terminal; unless it has completed, abandon what is under way."""
    run.state = terminal.state
    run.terminal = terminal
    if run.is_counted:
        ledger.ended[run.pipe] = ledger.ended.get(run.pipe, 0) + 1
    effects.append(Ended(trace_id, terminal))
    if run.state not in TAKES_OUTPUTS:
        let_go(ledger, trace_id, run, effects)
        if run.in_flight > 0:
            effects.append(Abandoned(trace_id))


def end_with(ledger: Ledger, trace_id: str, run: Run, terminal: Terminal, effects: list[Effect]) -> bool:
    """End an open run by what its last piece of work gave, where nothing else of it is left.

    Returns:
        Whether it was so; if not, nothing is changed.
    """
    if run.state is not RunState.OPEN or run.in_flight != 1 or run.waiting or run.parked:
        return False
    run.in_flight = 0
    end_run(ledger, trace_id, run, terminal, effects)
    if run.state in TAKES_OUTPUTS:
        let_go(ledger, trace_id, run, effects)
    return True


def drain(ledger: Ledger, trace_id: str, run: Run, effects: list[Effect]) -> None:
    """Close the root scope when nothing is left that could move by itself: complete, starve, or let the record age."""
    if run.state is RunState.OPEN and run.in_flight <= run.waiting:
        end_run(ledger, trace_id, run, STARVED if run.waiting else Terminal(RunState.COMPLETED, b""), effects)
    if run.state is RunState.COMPLETED and run.in_flight <= run.waiting + run.suspended:
        let_go(ledger, trace_id, run, effects)


def let_go(ledger: Ledger, trace_id: str, run: Run, effects: list[Effect]) -> None:
    """Free what an ended run holds: arrivals at joins, what waits for signals, and its unused tickets."""
    run.in_flight -= run.waiting + run.suspended
    run.waiting = 0
    for held in (run.joins, run.feeders, run.signals, run.parked, run.memory):
        held.clear()
    for lane_id, ticket in run.tickets.items():
        give_back(ledger, lane_id, ticket, effects)
    run.tickets.clear()
    effects.append(Drained(trace_id))
