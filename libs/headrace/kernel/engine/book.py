"""A run's book: the ledger of one run in one process, which says what every ended call sets free. No I/O, no clock.

The rules of joins, gathers, lanes, signals and of a run's end are the ledger's. What has no part in a join is just
counted: a call that goes on as one or several others changes nothing else.
"""

from collections.abc import Sequence

from headrace.graph.plan import ExecutionPlan
from headrace.kernel.engine.dispatcher import Rest, Sent
from headrace.kernel.engine.uncoded import as_frame
from headrace.kernel.feeds import Feeds
from headrace.kernel.outputs import Dispatch, tickets_of
from headrace.kernel.work import Work
from headrace.ledger import algebra
from headrace.ledger.joins import meet, meet_last
from headrace.ledger.runs import end_with
from headrace.ledger.state import Effect, Ledger, Run
from headrace.ledger.values import (
    Alarm,
    Arrive,
    Commit,
    Emit,
    Feed,
    Item,
    Output,
    RunState,
    Schedule,
    Settled,
    Submission,
    Terminal,
)

_BRANCHES = 32  # of a fan-out to different nodes; messages of a series all go to the same ones


class Book:
    """Keeps one run.

    Args:
        meets: Whether messages meet anywhere in the plan.
    """

    def __init__(self, plan: ExecutionPlan, feeds: Feeds, submission: Submission, *, meets: bool) -> None:
        self._plan = plan
        self._feeds = feeds
        self._meets = meets
        self._trace_id = submission.trace_id
        self._ledger = Ledger(lane_batch=1)
        _, self.opening = algebra.submit(self._ledger, submission, 0)
        self.run: Run = self._ledger.runs[self._trace_id]

    @property
    def is_open(self) -> bool:
        """Whether the run has no terminal yet."""
        return self.run.state is RunState.OPEN

    @property
    def waits_for_signals(self) -> bool:
        """Whether all that is left of the run waits for signals, or for what these set free."""
        run = self.run
        return bool(run.parked) and run.in_flight <= run.waiting + run.suspended

    def goes_on(self, work: Work, local: Sequence[Work]) -> bool:
        """Settle a call that just led to others, where nothing has to be looked at; tells whether it was such a one."""
        if not local:
            return False
        if self._meets and not self._keeps_feeds(work, local):
            return False
        self.run.in_flight += len(local) - 1
        return True

    def meets(self, work: Work, sent: Dispatch) -> bool:
        """Settle a call that just sent a message to where more are waited for; tells whether it was such a one."""
        if len(sent.outputs) != 1 or sent.local or sent.terminals:
            return False
        (output,) = sent.outputs
        return isinstance(output, Arrive) and meet(self.run, output, self._feeds.of(work.node, work.headers.scope))

    def settle(self, work: Work, sent: Dispatch, rest: Rest | None, stash: str) -> list[Effect]:
        """Settle a call; what it leads to here is counted, not among the effects.

        Args:
            rest: What is left of the series that it sent; None for nothing.
            stash: Of a gather, what it gathered, which is dropped; empty for none.
        """
        if stash in self.run.joins:
            self.run.joins[stash].gathered.clear()
        effects: list[Effect] = []
        if not sent.local and rest is None and self._settle_one(work, sent, effects):
            return effects
        return self._record(self._settled(work, sent.outputs, sent.terminals, stash), sent, rest)

    def _settle_one(self, work: Work, sent: Dispatch, effects: list[Effect]) -> bool:
        """Settle a call that sent one thing, where just that has to be looked at; tells whether it was such a one."""
        if len(sent.terminals) == 1 and not sent.outputs:
            return end_with(self._ledger, self._trace_id, self.run, sent.terminals[0], effects)
        if len(sent.outputs) == 1 and not sent.terminals:
            (output,) = sent.outputs
            return isinstance(output, Arrive) and meet_last(self.run, output, self._feeds_of(work), effects)
        return False

    def settle_page(self, page: Rest, sent: Sent) -> list[Effect]:
        """Settle a page of a series that was not its first; as `settle`."""
        terminal = sent.terminals[0] if sent.terminals else None
        settled = Settled(self._trace_id, 0, tuple(sent.outputs), terminal, None, (), page.feeds)
        return self._record(settled, sent, sent.rest)

    def settle_in_lane(self, work: Work, sent: Dispatch, item: Item, lane: str, state: bytes | None) -> list[Effect]:
        """Settle a call of a keyed node; what it leads to is among the effects.

        Args:
            state: What to save for its key; None leaves that as it was.
        """
        emits = (Emit("", as_frame(each), self._feeds_of(each)) for each in sent.local)
        rest = sent.rest if isinstance(sent, Sent) else None
        left = (Emit("", as_frame(rest), rest.feeds),) if rest is not None else ()
        settled = self._settled(work, (*sent.outputs, *emits, *left), sent.terminals, "", item.ticket)
        return self._commit(settled, lane, state)

    def fail(self, work: Work, terminal: Terminal, item: Item, lane: str) -> list[Effect]:
        """Settle a call that failed for good: with it the run, or, where that has completed, just its branch."""
        return self._commit(self._settled(work, (), [terminal], item.stash, item.ticket), lane, None)

    def promote(self, due: Sequence[tuple[str, Schedule | Alarm]]) -> list[Effect]:
        """Bring back what is due."""
        return algebra.promote(self._ledger, due)

    def signal(self, name: str, frame: bytes) -> list[Effect] | None:
        """Give the run a signal; None where it has ended, or had it."""
        return algebra.signal(self._ledger, self._trace_id, name, frame)

    def end(self, terminal: Terminal) -> list[Effect]:
        """End the run from outside; nothing happens where it has ended."""
        return algebra.end(self._ledger, self._trace_id, terminal) or []

    def _keeps_feeds(self, work: Work, local: Sequence[Work]) -> bool:
        """Tell whether what a call may have led to is just what its calls may lead to, each of it once."""
        if len(local) == 1:
            return self._feeds_of(local[0]) == self._feeds_of(work)
        return len(local) <= _BRANCHES and self._feeds.are_divided(
            work.node.name, work.headers.scope, tuple([each.node.name for each in local])
        )

    def _feeds_of(self, work: Work) -> tuple[Feed, ...]:
        return self._feeds.of(work.node, work.headers.scope)

    def _settled(
        self, work: Work, outputs: Sequence[Output], terminals: Sequence[Terminal], stash: str, ticket: int = 0
    ) -> Settled:
        terminal = terminals[0] if terminals else None
        tickets = tickets_of(self._plan, work.headers)
        return Settled(self._trace_id, ticket, tuple(outputs), terminal, None, tickets, self._feeds_of(work), stash)

    def _record(self, settled: Settled, sent: Dispatch, rest: Rest | None) -> list[Effect]:
        """Record a call of no lane, of a run that takes work."""
        effects: list[Effect] = []
        later = [feed for each in sent.local for feed in self._feeds_of(each)] if self._meets else []
        if rest is not None:
            later.extend(rest.feeds)
        self.run.in_flight += len(sent.local) + (rest is not None) - 1
        algebra.record(self._ledger, self.run, settled, effects, later)
        return effects

    def _commit(self, settled: Settled, lane: str, state: bytes | None) -> list[Effect]:
        _, effects = algebra.commit(self._ledger, Commit(0, "", (settled,), (), lane, state))
        return effects
