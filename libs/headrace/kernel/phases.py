"""The states that a run in one process goes through, as one table; any other move is refused."""

from collections.abc import Mapping
from enum import StrEnum


class Phase(StrEnum):
    """Where a run in one process stands."""

    INIT = "init"
    STARTUP = "startup"
    EXECUTING = "executing"
    SHUTDOWN = "shutdown"
    TERMINAL = "terminal"


PHASE_MOVES: Mapping[Phase, frozenset[Phase]] = {
    Phase.INIT: frozenset({Phase.STARTUP}),
    Phase.STARTUP: frozenset({Phase.EXECUTING, Phase.SHUTDOWN}),
    Phase.EXECUTING: frozenset({Phase.SHUTDOWN}),
    Phase.SHUTDOWN: frozenset({Phase.TERMINAL}),
    Phase.TERMINAL: frozenset(),
}
"""From a state, the states that may follow; a run whose start-up fails is shut down, too."""


class PhaseError(RuntimeError):
    """A run was asked to make a move that its table does not have: a fault of this library."""


class Phases:
    """Where one run stands."""

    def __init__(self) -> None:
        self.now = Phase.INIT

    def move(self, to: Phase) -> None:
        """Go on to a state.

        Raises:
            PhaseError: The table has no such move.
        """
        if to not in PHASE_MOVES[self.now]:
            raise PhaseError(f"a run cannot go from {self.now} to {to}")
        self.now = to
