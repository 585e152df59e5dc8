"""The state table of a run, which code looks up and the documentation prints."""

from collections.abc import Mapping

from headrace.ledger.values import RunState

RUN_MOVES: Mapping[RunState, frozenset[RunState]] = {
    RunState.OPEN: frozenset({RunState.COMPLETED, RunState.FAILED, RunState.CANCELLED, RunState.EXPIRED}),
    RunState.COMPLETED: frozenset(),
    RunState.FAILED: frozenset(),
    RunState.CANCELLED: frozenset(),
    RunState.EXPIRED: frozenset(),
}
"""From a state, the states that may follow: the first terminal wins."""

TAKES_OUTPUTS: frozenset[RunState] = frozenset({RunState.OPEN, RunState.COMPLETED})
"""States in which a hop's outputs are recorded: an answered run's other branches go on, an abandoned one's do not."""
