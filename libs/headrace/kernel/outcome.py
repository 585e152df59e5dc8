"""What a hop comes to: outputs and terminals, or the failure that ends its run."""

from dataclasses import dataclass, field

from headrace.errors import Failure
from headrace.kernel.work import Work
from headrace.ledger.values import Output, Terminal


class HopFailedError(Exception):
    """A node failed for good, and with it the run."""

    def __init__(self, failure: Failure, work: Work) -> None:
        self.failure = failure
        self.work = work
        super().__init__(str(failure))


@dataclass(slots=True, kw_only=True)
class HopOutcome:
    """What a hop came to.

    Attributes:
        outputs: For the bus, in emission order.
        terminals: Terminal outputs, in emission order, each with its call; the first one ends the run.
        failures: Of branches that failed for good when the hop had a terminal already. They end alone, as they would in
            groups of their own, after the commit that ended the run.
    """

    outputs: list[Output] = field(default_factory=list[Output])
    terminals: list[tuple[Work, Terminal]] = field(default_factory=list[tuple[Work, Terminal]])
    failures: list[HopFailedError] = field(default_factory=list[HopFailedError])

    @property
    def terminal(self) -> Terminal | None:
        """The run's terminal, None where the hop had none."""
        return self.terminals[0][1] if self.terminals else None
