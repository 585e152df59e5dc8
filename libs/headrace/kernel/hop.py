"""A hop: one item through the local part of the graph, to what the commit must record.

A node's outputs that stay in the group are followed at once, siblings side by side; the others become outputs of the
hop. A node that fails is tried again by itself, later, as a scheduled output: what ran before it is not run again.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import anyio
from dishka import AsyncContainer

from headrace.errors import Failure
from headrace.graph.options import Retry
from headrace.graph.plan import ExecutionPlan, PlanNode
from headrace.kernel import inject
from headrace.kernel.calls import Call, compile_call
from headrace.kernel.context import Context
from headrace.kernel.events import NodeEnded, NodeFailed, NodeStarted, TerminalDropped
from headrace.kernel.inject import Injector
from headrace.kernel.journal import classify
from headrace.kernel.outputs import Dispatch, Dispatcher, Work, envelope_of
from headrace.kernel.publisher import Publisher
from headrace.ledger.values import Item, Output, Schedule, Terminal
from headrace.wire.envelope import Envelope

_MS = 1000


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
        terminal: The run's terminal, None where the hop had none.
    """

    outputs: list[Output] = field(default_factory=list[Output])
    terminal: Terminal | None = None


class Hops:
    """Runs hops of one group.

    Args:
        seal: Makes the frame of an envelope.
        random: Gives numbers from 0 to 1, for jitter.
        shows_detail: Whether failures carry exception texts.
    """

    def __init__(  # noqa: PLR0913 - the parts of one machine
        self,
        plan: ExecutionPlan,
        group: str,
        *,
        seal: Callable[[Envelope], bytes],
        random: Callable[[], float],
        publisher: Publisher,
        injector: Injector,
        shows_detail: bool,
    ) -> None:
        self._plan = plan
        self._group = group
        self._seal = seal
        self._random = random
        self._publisher = publisher
        self._injector = injector
        self._shows_detail = shows_detail
        self._dispatcher = Dispatcher(plan, group, seal)
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
        async with AsyncExitStack() as scopes:
            request = await scopes.enter_async_context(self._injector.hop()) if self._injects else None
            return await _Hop(self, request, state, lane, ticket).follow(work)

    async def call(self, work: Work, request: AsyncContainer | None, state: object) -> list[Any]:
        """Call a node with its messages, context, state and injected parameters."""
        node = work.node
        arguments = dict(work.messages)
        if node.context_param is not None:
            arguments[node.context_param] = self._context(work)
        if node.keyed is not None and node.keyed.state_param is not None:
            arguments[node.keyed.state_param] = state
        if node.injected and request is not None:
            async with inject.step(request, node.injected) as injected:
                return await self._calls[node.name]({**arguments, **injected})
        return await self._calls[node.name](arguments)

    async def attempt(self, work: Work, request: AsyncContainer | None, state: object) -> Dispatch | Retry:
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
        except Exception as error:
            failure = classify(error, node=node.name, group=self._group, shows_detail=self._shows_detail)
            delay_s = self._retry_in_s(node, error, headers.attempt)
            if self._publisher.is_heard:
                took_s = time.perf_counter() - started_s
                self._publisher.publish(
                    NodeFailed(**where, attempt=headers.attempt, duration_s=took_s, failure=failure, retry_in_s=delay_s)
                )
            if delay_s is None:
                raise HopFailedError(failure, work) from error
            return Retry(after=delay_s)
        if self._publisher.is_heard:
            took_s = time.perf_counter() - started_s
            self._publisher.publish(
                NodeEnded(**where, attempt=headers.attempt, duration_s=took_s, outputs=len(returned))
            )
            for _ in dispatch.terminals[1:]:
                self._publisher.publish(TerminalDropped(**where))
        return dispatch

    def again(self, work: Work, delay_s: float, *, is_failure: bool, lane: str, ticket: int) -> Schedule:
        """Make the output that brings a call back later."""
        headers = work.headers
        attempt = headers.attempt + 1 if is_failure else headers.attempt
        frames = tuple(
            self._seal(_with_attempt(envelope_of(work, self._plan, slot.name), attempt)) for slot in work.node.slots
        )
        group = self._plan.stream(self._group)
        return Schedule(group, max(0, int(delay_s * _MS)), Item(frames, ticket), lane)

    def _retry_in_s(self, node: PlanNode, error: Exception, attempt: int) -> float | None:
        retry = node.retry
        if retry is None or attempt >= retry.attempts or not isinstance(error, retry.on):
            return None
        wait_s: float = min(retry.backoff * 2 ** (attempt - 1), retry.max_backoff)
        return wait_s * (1 - retry.jitter * self._random())

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
        )


class _Hop:
    """One hop under way."""

    def __init__(self, hops: Hops, request: AsyncContainer | None, state: object, lane: str, ticket: int) -> None:
        self._hops = hops
        self._request = request
        self._state = state
        self._lane = lane
        self._ticket = ticket

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
                outcomes[position] = await self.follow(work)
            except HopFailedError as failure:
                failures.append(failure)
                group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            for position, work in enumerate(siblings):
                group.start_soon(follow, position, work)
        if failures:
            raise failures[0]
        for sibling in outcomes:
            if sibling is not None:
                _merge(outcome, sibling.outputs, sibling.terminal)

    async def _step(self, work: Work, outcome: HopOutcome) -> Dispatch | None:
        is_head = work.headers.node == work.node.name and work.node.keyed is not None
        lane, ticket = (self._lane, self._ticket) if is_head else ("", 0)
        result = await self._hops.attempt(work, self._request, self._state)
        if isinstance(result, Retry):
            outcome.outputs.append(
                self._hops.again(work, result.after or 0.0, is_failure=True, lane=lane, ticket=ticket)
            )
            return None
        if result.retry is not None:
            delay_s = result.retry.after or 0.0
            outcome.outputs.append(self._hops.again(work, delay_s, is_failure=False, lane=lane, ticket=ticket))
            return None
        _merge(outcome, result.outputs, result.terminals[0] if result.terminals else None)
        return result


def _merge(outcome: HopOutcome, outputs: list[Output], terminal: Terminal | None) -> None:
    outcome.outputs.extend(outputs)
    if outcome.terminal is None:
        outcome.terminal = terminal


def _with_attempt(envelope: Envelope, attempt: int) -> Envelope:
    return Envelope(**{name: getattr(envelope, name) for name in Envelope.__struct_fields__} | {"attempt": attempt})
