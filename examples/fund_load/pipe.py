"""The fund-load pipe: `parse` and `format` run in parallel, in any number of replicas, around one stateful node.

`decide` judges one load at a time, in the order in which they were submitted, whatever overtakes what on the way: its
lane has a constant key and the order of ingress. Its state, `Accounts`, is saved by the commit that sends its decision
on, so it changes once a load, whatever crashes. So the answers do not depend on replicas, placement or speed.
"""

from collections import Counter
from dataclasses import dataclass

import structlog

from examples.fund_load import parse as parsing
from examples.fund_load import rules
from examples.fund_load.model import Accounts, Answer, Attempt, Decision, Load
from headrace import Context, Emitted, KernelEvent, Pipe, State

_log = structlog.get_logger("fund_load")


@dataclass(frozen=True, slots=True)
class Malformed:
    """A line was malformed; `problem` says how, in one of the words of `parse`."""

    problem: str


class MalformedLines:
    """Counts malformed lines by their problem, and logs the counts when the process stops."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def __call__(self, event: KernelEvent) -> None:
        """Observe the pipe."""
        if isinstance(event, Emitted) and isinstance(event.value, Malformed):
            self.counts[event.value.problem] += 1

    def report(self) -> None:
        """Log the counts, where there are any."""
        if self.counts:
            _log.warning("malformed_lines", total=self.counts.total(), **self.counts)


def fund_load(name: str, *, experiment: bool) -> Pipe:
    """Make the pipe, with the rules of the experiment or without."""
    pipe = Pipe(name, read_line=parsing.read_line)
    malformed = MalformedLines()
    pipe.observe(malformed)
    pipe.on_shutdown(malformed.report)

    @pipe.node(group="intake")
    async def parse(load: Load, ctx: Context) -> Attempt:
        attempt = parsing.parse(load)
        if attempt.problem:
            ctx.emit(Malformed(attempt.problem))
        return attempt

    @pipe.node(group="decisions", key=lambda _: "all", order="ingress")
    async def decide(attempt: Attempt, accounts: State[Accounts]) -> Decision:
        return rules.decide(accounts, attempt, experiment=experiment)

    @pipe.node(group="answers", name="format")
    async def format_answer(decision: Decision) -> Answer:
        return Answer(decision.id, decision.customer_id, decision.accepted)

    return pipe


pipe = fund_load("fund_load", experiment=False)
experiment = fund_load("fund_load_experiment", experiment=True)
