"""A hop: one item through the local part of the graph, to what the commit must record.

A node's outputs that stay in the group are followed at once, siblings side by side; the others become outputs of the
hop. A node that fails is tried again by itself, later, as a scheduled output: what ran before it is not run again.
Of a run that is abandoned meanwhile no further node is started (I8); what its hop then comes to is for nobody.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

import anyio
from dishka import AsyncContainer
from dishka.exceptions import ExitError

from headrace.graph.options import Retry
from headrace.graph.plan import ExecutionPlan
from headrace.kernel import inject
from headrace.kernel.abandoned import AbandonedRuns
from headrace.kernel.calls import Call, compile_call
from headrace.kernel.clock import Clock
from headrace.kernel.comebacks import Comebacks
from headrace.kernel.context import Context
from headrace.kernel.events import NodeEnded, NodeFailed, NodeStarted, TerminalDropped
from headrace.kernel.gate import Gate
from headrace.kernel.inject import Injector
from headrace.kernel.journal import NodeCancelledError, as_failure, classify
from headrace.kernel.outcome import HopFailedError, HopOutcome
from headrace.kernel.outputs import Dispatch, Dispatcher
from headrace.kernel.publisher import Publisher
from headrace.kernel.retries import retry_in_s
from headrace.kernel.store import RunStore
from headrace.kernel.work import Work
from headrace.ledger.values import Park, Schedule
from headrace.wire.envelope import Envelope

_MS = 1000


class Hops:
    """Runs hops of one group.

    Args:
        seal: Makes the frame of an envelope.
        random: Gives numbers from 0 to 1, for jitter.
        store: Where `Context.once` remembers.
        abandoned: Runs of which no node is started.
        gate: Must be open when a node is called, None for none.
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
        shows_detail: bool,
    ) -> None:
        self._plan = plan
        self._group = group
        self._random = random
        self._publisher = publisher
        self._injector = injector
        self._store = store
        self._shows_detail = shows_detail
        self.abandoned = abandoned
        self.gate = gate
        self._dispatcher = Dispatcher(plan, group, seal)
        self._comebacks = Comebacks(plan, group, seal, clock)
        self._calls: Mapping[str, Call] = {name: compile_call(plan.nodes[name]) for name in plan.groups[group]}
        self._injects = any(plan.nodes[name].injected for name in plan.groups[group])

    async def run(self, work: Work, *, state: object = None, lane: str = "", ticket: int = 0) -> HopOutcome:
        """Run one item.

        Args:
            state: The key's state, for a keyed node.
            lane: The item's lane, empty for none; a retry of its node keeps its place there.
            ticket: The item's place in it.

        Raises:
            HopFailedError: A node failed for good.
        """
        if self._injects:
            outcome = await self._run_injected(work, state, lane, ticket)
        else:
            outcome = await _Hop(self, None, state, lane, ticket).follow(work)
        for node, _ in outcome.terminals[1:] if self._publisher.is_heard else ():
            self._publisher.publish(TerminalDropped(trace_id=work.headers.trace_id, node=node, group=self._group))
        return outcome

    async def _run_injected(self, work: Work, state: object, lane: str, ticket: int) -> HopOutcome:
        """Run an item in a REQUEST scope of its own; the item fails where what the scope held cannot be closed."""
        first: HopFailedError | None = None
        try:
            async with self._injector.hop() as request:
                try:
                    return await _Hop(self, request, state, lane, ticket).follow(work)
                except HopFailedError as failed:
                    first = failed
                    raise
        except ExitError as error:
            raise (first or self.failed(work, error)) from error

    async def call(self, work: Work, request: AsyncContainer | None, state: object) -> list[Any]:
        """Call a node with its messages, context, state and injected parameters."""
        node = work.node
        arguments = {**dict.fromkeys(node.signals), **work.messages} if node.signals else dict(work.messages)
        if node.context_param is not None:
            arguments[node.context_param] = self._context(work)
        if node.keyed is not None and node.keyed.state_param is not None:
            arguments[node.keyed.state_param] = state
        if node.injected and request is not None:
            async with inject.step(request, node.injected) as injected:
                return await self._calls[node.name]({**arguments, **injected})
        return await self._calls[node.name](arguments)

    async def attempt(self, work: Work, request: AsyncContainer | None, state: object) -> Dispatch:
        """Call a node and dispatch its outputs, or say how it is to be tried again.

        Raises:
            HopFailedError: It failed for good.
        """
        headers, node = work.headers, work.node
        where = {"trace_id": headers.trace_id, "node": node.name, "group": self._group}
        if self._publisher.is_heard:
            self._publisher.publish(NodeStarted(**where, attempt=headers.attempt))
        started_s = time.perf_counter()
        try:
            returned = await self.call(work, request, state)
            dispatch = self._dispatcher.dispatch(work, returned)
        except (Exception, asyncio.CancelledError) as raised:  # noqa: BLE001 - whatever a node raises, classified
            error = as_failure(raised)
            failure = classify(error, node=node.name, group=self._group, shows_detail=self._shows_detail)
            delay_s = retry_in_s(node.retry, error, headers.attempt, self._random)
            if self._publisher.is_heard:
                took_s = time.perf_counter() - started_s
                self._publisher.publish(
                    NodeFailed(**where, attempt=headers.attempt, duration_s=took_s, failure=failure, retry_in_s=delay_s)
                )
            if delay_s is None:
                raise HopFailedError(failure, work) from error
            return Dispatch(again=Retry(after=delay_s), has_failed=True)
        if self._publisher.is_heard:
            took_s = time.perf_counter() - started_s
            self._publisher.publish(
                NodeEnded(**where, attempt=headers.attempt, duration_s=took_s, outputs=len(returned))
            )
        return dispatch

    def again(self, work: Work, dispatch: Dispatch, lane: str, ticket: int) -> Schedule | Park:
        """Make the output that brings a call back.

        Raises:
            HopFailedError: Its messages cannot be sent: on the way here, inside the group, they were never encoded.
        """
        try:
            return self._comebacks.make(work, dispatch, lane, ticket)
        except Exception as error:
            raise self.failed(work, error) from error

    def failed(self, work: Work, error: Exception) -> HopFailedError:
        """Make the error that ends a hop, and with it the run, at a node."""
        failure = classify(error, node=work.node.name, group=self._group, shows_detail=self._shows_detail)
        return HopFailedError(failure, work)

    def _context(self, work: Work) -> Context:
        headers = work.headers
        return Context(
            trace_id=headers.trace_id,
            run_id=headers.origin_run_id or headers.trace_id,
            invocation_id=headers.id,
            pipe=headers.pipe,
            node=work.node.name,
            group=self._group,
            attempt=headers.attempt,
            deadline=headers.deadline_ms / _MS if headers.deadline_ms else None,
            publisher=self._publisher,
            store=self._store,
            loop=asyncio.get_running_loop(),
        )


class _Hop:
    """One hop under way."""

    def __init__(self, hops: Hops, request: AsyncContainer | None, state: object, lane: str, ticket: int) -> None:
        self._hops = hops
        self._abandoned = hops.abandoned
        self._request = request
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
                raise self._hops.failed(work, NodeCancelledError())
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
            dispatch = await self._hops.attempt(work, self._request, self._state)
            if dispatch.again:
                lane, ticket = (self._lane, self._ticket) if work.node.keyed is not None else ("", 0)
                outcome.outputs.append(self._hops.again(work, dispatch, lane, ticket))
                return None
        except HopFailedError as failed:
            if not self._has_terminal:
                raise
            outcome.failures.append(failed)
            return None
        outcome.outputs.extend(dispatch.outputs)
        outcome.terminals.extend((work.node.name, terminal) for terminal in dispatch.terminals)
        self._has_terminal = self._has_terminal or bool(dispatch.terminals)
        return dispatch
