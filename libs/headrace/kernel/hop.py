"""A hop: one item through the local part of the graph, to what the commit must record.

A node's outputs that stay in the group are followed at once, siblings side by side; the others become outputs of the
hop. A node that fails is tried again by itself, later, as a scheduled output: what ran before it is not run again.
Of a run that is abandoned meanwhile no further node is started (I8); what its hop then comes to is for nobody.
"""

from collections.abc import Callable

import anyio
from dishka import AsyncContainer
from dishka.exceptions import ExitError

from headrace.graph.options import Suspend
from headrace.graph.plan import ExecutionPlan
from headrace.kernel.abandoned import AbandonedRuns
from headrace.kernel.attempts import Attempts, origin_of
from headrace.kernel.calls import compile_calls
from headrace.kernel.clock import Clock
from headrace.kernel.comebacks import Comebacks
from headrace.kernel.elsewhere import Elsewhere
from headrace.kernel.events import Suspended, TerminalDropped
from headrace.kernel.gate import Gate
from headrace.kernel.inject import Injector
from headrace.kernel.journal import NodeCancelledError
from headrace.kernel.outcome import HopFailedError, HopOutcome
from headrace.kernel.outputs import Dispatch, Dispatcher
from headrace.kernel.publisher import Publisher
from headrace.kernel.store import RunStore
from headrace.kernel.work import Work
from headrace.ledger.values import Park, Schedule
from headrace.wire.envelope import Envelope


class Hops:
    """Runs hops of one group.

    Args:
        seal: Makes the frame of an envelope.
        random: Gives numbers from 0 to 1, for jitter.
        store: Where `Context.once` remembers.
        abandoned: Runs of which no node is started.
        gate: Must be open when a node is called, None for none.
        elsewhere: Where nodes run whose executor is another process.
        shows_detail: Whether failures carry exception texts.
    """

    def __init__(  # noqa: PLR0913 - the parts of one machine
        self,
        plan: ExecutionPlan,
        group: str,
        *,
        seal: Callable[[Envelope], bytes],
        random: Callable[[], float],
        clock: Clock,
        publisher: Publisher,
        injector: Injector,
        store: RunStore,
        abandoned: AbandonedRuns,
        gate: Gate | None,
        elsewhere: Elsewhere | None,
        shows_detail: bool,
    ) -> None:
        nodes = [plan.nodes[name] for name in plan.groups[group]]
        self._publisher = publisher
        self._injector = injector
        self.abandoned = abandoned
        self.gate = gate
        self.attempts = Attempts(
            plan,
            compile_calls(nodes, plan.middleware, elsewhere),
            dispatcher=Dispatcher(plan, group, seal),
            random=random,
            publisher=publisher,
            store=store,
            shows_detail=shows_detail,
        )
        self._comebacks = Comebacks(plan, group, seal, clock)
        self._injects = any(node.injected and not node.runs_elsewhere for node in nodes)

    async def run(
        self,
        work: Work,
        *,
        state: object = None,
        lane: str = "",
        ticket: int = 0,
        publisher: Publisher | None = None,
    ) -> HopOutcome:
        """Run one item.

        Args:
            state: The key's state, for a keyed node.
            lane: The item's lane, empty for none; a retry of its node keeps its place there.
            ticket: The item's place in it.
            publisher: Tells of this hop; None for the usual one.

        Raises:
            HopFailedError: A node failed for good.
        """
        publisher = publisher or self._publisher
        hop = _Hop(self, state, lane, ticket, publisher)
        outcome = await (self._run_injected(hop, work) if self._injects else hop.follow(work))
        for dropped, _ in outcome.terminals[1:] if publisher.is_heard else ():
            publisher.publish(TerminalDropped(*publisher.stamp(origin_of(dropped.headers, dropped.node))))
        return outcome

    async def _run_injected(self, hop: "_Hop", work: Work) -> HopOutcome:
        """Run an item in a REQUEST scope of its own; the item fails where what the scope held cannot be closed."""
        try:
            async with self._injector.hop() as hop.request:
                return await hop.follow(work)
        except ExitError as error:
            raise self.attempts.failed(work, error) from error

    def again(self, work: Work, dispatch: Dispatch, lane: str, ticket: int) -> Schedule | Park:
        """Make the output that brings a call back.

        Raises:
            HopFailedError: Its messages cannot be sent: on the way here, inside the group, they were never encoded.
        """
        try:
            return self._comebacks.make(work, dispatch, lane, ticket)
        except Exception as error:
            raise self.attempts.failed(work, error) from error


class _Hop:
    """One hop under way.

    Attributes:
        request: The REQUEST scope of injected parameters; None where no node has any.
    """

    def __init__(self, hops: Hops, state: object, lane: str, ticket: int, publisher: Publisher) -> None:
        self._hops = hops
        self._publisher = publisher
        self._abandoned = hops.abandoned
        self.request: AsyncContainer | None = None
        self._state = state
        self._lane = lane
        self._ticket = ticket
        self._has_terminal = False

    async def follow(self, work: Work) -> HopOutcome:
        """Call a node, then what follows from it in this group."""
        outcome = HopOutcome()
        next_work: Work | None = work
        while next_work is not None:
            dispatch = await self._step(next_work, outcome)
            next_work = None
            if dispatch is not None and len(dispatch.local) == 1:
                next_work = dispatch.local[0]
            elif dispatch is not None and dispatch.local:
                await self._follow_all(dispatch.local, outcome)
        return outcome

    async def _follow_all(self, siblings: list[Work], outcome: HopOutcome) -> None:
        """Follow siblings side by side; their outputs keep the order of their emission."""
        outcomes: list[HopOutcome | None] = [None] * len(siblings)
        failures: list[HopFailedError] = []

        async def follow(position: int, work: Work) -> None:
            try:
                # apart from its siblings, so that what waits to start is cancelled in the same instant as they
                outcomes[position] = await self._abandoned.unless_cut(work.headers.trace_id, self.follow(work))
            except HopFailedError as failure:
                failures.append(failure)
                group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            for position, work in enumerate(siblings):
                group.start_soon(follow, position, work)
        if failures:
            raise failures[0]
        for work, sibling in zip(siblings, outcomes, strict=True):
            if sibling is None and work.headers.trace_id in self._abandoned.runs:
                continue
            if sibling is None:  # it cancelled its own task: a branch must not end as a silent success
                raise self._hops.attempts.failed(work, NodeCancelledError())
            outcome.outputs.extend(sibling.outputs)
            outcome.terminals.extend(sibling.terminals)
            outcome.failures.extend(sibling.failures)

    async def _step(self, work: Work, outcome: HopOutcome) -> Dispatch | None:
        gate = self._hops.gate
        if gate is not None and not gate.is_open():
            await gate.opened()
        if work.headers.trace_id in self._abandoned.runs:
            return None
        try:
            dispatch = await self._hops.attempts.make(work, self.request, self._state, self._publisher)
            if dispatch.again:
                lane, ticket = (self._lane, self._ticket) if work.node.keyed is not None else ("", 0)
                outcome.outputs.append(self._hops.again(work, dispatch, lane, ticket))
                self._tell_of_suspension(work, dispatch)
                return None
        except HopFailedError as failed:
            if not self._has_terminal:
                raise
            outcome.failures.append(failed)
            return None
        outcome.outputs.extend(dispatch.outputs)
        outcome.terminals.extend((work, terminal) for terminal in dispatch.terminals)
        self._has_terminal = self._has_terminal or bool(dispatch.terminals)
        return dispatch

    def _tell_of_suspension(self, work: Work, dispatch: Dispatch) -> None:
        publisher = self._publisher
        if publisher.is_heard and isinstance(dispatch.again, Suspend):
            stamped = publisher.stamp(origin_of(work.headers, work.node))
            publisher.publish(Suspended(*stamped, until=dispatch.again.until))
