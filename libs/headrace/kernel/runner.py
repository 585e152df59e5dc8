"""The runner: a delivery in, the commit that ends it out. It knows no bus, no waiter and no reply.

An item that cannot be opened ends the run that its frames name in clear, so that no run stays open for ever. So whoever
may write to a stream may end a run; streams are guarded by the bus's access control.
"""

import random
from collections.abc import Iterable
from contextlib import ExitStack

from msgspec import structs

from headrace.errors import EnvelopeError, Failure, FailureKind, FailureSource, HeadraceError
from headrace.graph.plan import ExecutionPlan
from headrace.kernel.abandoned import AbandonedRuns
from headrace.kernel.admit import Admission, RefusedError
from headrace.kernel.clock import Clock, SystemClock
from headrace.kernel.elsewhere import Elsewhere
from headrace.kernel.events import Observer
from headrace.kernel.feeds import Feeds
from headrace.kernel.gate import Gate
from headrace.kernel.gathered import fetch, run_of
from headrace.kernel.hop import Hops
from headrace.kernel.inject import Injector
from headrace.kernel.lane_states import LaneStates
from headrace.kernel.outcome import HopFailedError
from headrace.kernel.outputs import tickets_of
from headrace.kernel.publisher import Publisher
from headrace.kernel.store import RunStore
from headrace.kernel.telling import Tells
from headrace.kernel.witness import Witness
from headrace.kernel.work import Work
from headrace.ledger import dead_letter
from headrace.ledger.dead_letter import DeadLetter
from headrace.ledger.terminal import ended
from headrace.ledger.values import Commit, Delivery, Item, Output, RunState, Schedule, Settled, Terminal
from headrace.wire.envelope import Envelope, Framing

_MS = 1000


class AsyncRunner:
    """Runs the hops of one group of a plan.

    Args:
        injector: The process's container, from `lifecycle`.
        framing: Opens and seals frames.
        store: Keeps what gathers collect and what `Context.once` remembers; a bus does.
        observers: Told of kernel events, after the pipe's own.
        clock: Deadlines go by it.
        gate: Must be open when a node is called: while it is closed this process may not know which runs are abandoned.
        elsewhere: Where nodes run whose executor is another process.
        shows_detail: Whether failures carry exception texts, which may hold payload.
        teller: Tells of hops whose runs keep their events; without it they keep none of these.
        name: Its worker's, as hops tell it.
        witnesses: See each hop; the first is the outermost.
    """

    def __init__(  # noqa: PLR0913 - the parts of one machine, all but two by name
        self,
        plan: ExecutionPlan,
        group: str,
        *,
        injector: Injector,
        framing: Framing,
        store: RunStore,
        observers: tuple[Observer, ...] = (),
        clock: Clock | None = None,
        gate: Gate | None = None,
        elsewhere: Elsewhere | None = None,
        shows_detail: bool = False,
        teller: Tells | None = None,
        name: str = "",
        witnesses: tuple[Witness, ...] = (),
    ) -> None:
        self._plan = plan
        self._group = group
        self._framing = framing
        self._store = store
        self._clock = clock or SystemClock()
        self._admission = Admission(plan, group, framing)
        self._feeds = Feeds(plan)
        self._abandoned = AbandonedRuns()
        self._states = LaneStates(self._admission)
        self._teller = teller
        self._name = name
        self._witnesses = witnesses
        self._publisher = Publisher((*plan.observers, *observers), plan.hooks, clock=self._clock)
        self._hops = Hops(
            plan,
            group,
            seal=framing.seal,
            random=random.random,
            clock=self._clock,
            publisher=self._publisher,
            injector=injector,
            gate=gate,
            elsewhere=elsewhere,
            store=store,
            abandoned=self._abandoned,
            shows_detail=shows_detail,
        )

    async def run(self, delivery: Delivery) -> Commit:
        """Run a delivery.

        Whatever is wrong with it, or goes wrong in a node, stands in the commit: dead letter, failed run or retry.
        """
        entry = delivery.entry
        if entry.lane:
            return await self._run_lane(delivery)
        settled = [(await self._settle(item, delivery))[0] for item in entry.items]
        return Commit(delivery.partition, delivery.id, tuple(settled))

    def abandon(self, trace_ids: Iterable[str]) -> None:
        """Start no further node of these runs, and cancel what is awaited in their nodes under way (I8).

        Their items settle to nothing, which the bus answers LATE. The thread of a synchronous node goes on, as no
        thread can be stopped, and its result is dropped. For the thread of the runner's event loop.
        """
        self._abandoned.add(trace_ids)

    def give_up(self, delivery: Delivery) -> Commit:
        """End a delivery that was handed out too often, without calling its node again.

        Of a lane's entry with several items nobody knows which is the poison, so they are handed out one by one.
        """
        entry = delivery.entry
        if entry.lane and len(entry.items) > 1:
            return Commit(delivery.partition, delivery.id, (), entry.items, entry.lane, None, 1)
        failure = Failure(FailureKind.WORKER_CRASH, FailureSource.PLATFORM, "", self._group)
        settled = tuple(self._give_up_item(item, delivery, failure) for item in entry.items)
        return Commit(delivery.partition, delivery.id, settled, (), entry.lane)

    async def _settle(self, item: Item, delivery: Delivery, state: object = None) -> tuple[Settled, bool]:
        """Run an item; give how it ended, and whether the state may be kept as it is now."""
        try:
            if self._abandoned.runs and run_of(item) in self._abandoned.runs:
                return self._settled(item, self._admission.headers_of(item)), True
            gathered = await fetch(self._store, self._framing, item) if item.stash else ()
            work = self._admission.admit(item, gathered)
        except EnvelopeError as error:
            return self._give_up_item(item, delivery, self._unreadable(error)), False
        except RefusedError as refused:
            return self._failed(item, delivery, refused.failure, refused.headers), False
        headers = work.headers
        if headers.deadline_ms and self._clock.now() * _MS >= headers.deadline_ms:
            failure = Failure(FailureKind.DEADLINE, FailureSource.USER_CODE, headers.node, self._group)
            return self._settled(item, headers, terminal=ended(RunState.EXPIRED, failure, headers.traceparent)), True
        if not self._witnesses:
            return await self._told_hop(work, item, delivery, state)
        with ExitStack() as seen:
            for witness in self._witnesses:
                work = seen.enter_context(witness.hop(work, delivery))
            return await self._told_hop(work, item, delivery, state)

    async def _told_hop(self, work: Work, item: Item, delivery: Delivery, state: object) -> tuple[Settled, bool]:
        """Run a hop whose run may keep its events; what it has not told before its end stands in the commit."""
        if self._teller is None or not work.headers.keeps_events:
            return await self._hop(work, item, delivery, state, None)
        with self._teller.telling(work.headers.trace_id, delivery, self._name) as telling:
            publisher = self._publisher.and_to(telling.observe)
            settled, keeps_state = await self._hop(work, item, delivery, state, publisher)
        return structs.replace(settled, told=telling.untold()), keeps_state

    async def _hop(
        self, work: Work, item: Item, delivery: Delivery, state: object, publisher: Publisher | None
    ) -> tuple[Settled, bool]:
        lane, headers = delivery.entry.lane, work.headers
        hop = self._hops.run(work, state=state, lane=lane, ticket=item.ticket, publisher=publisher)
        try:
            outcome = await self._abandoned.unless_cut(headers.trace_id, hop)
        except HopFailedError as failed:
            if headers.trace_id not in self._abandoned.runs:
                return self._failed(item, delivery, failed.failure, headers, failed.work.headers), False
            outcome = None
        if outcome is None or headers.trace_id in self._abandoned.runs:
            return self._settled(item, headers), False
        outputs = tuple(outcome.outputs)
        keeps_place = bool(lane) and any(isinstance(output, Schedule) and output.lane for output in outputs)
        letter = None
        if outcome.failures:  # one letter: it holds the item, which all of them came from
            first = outcome.failures[0]
            letter = self._letter(item, delivery, first.failure, headers.trace_id, first.work.headers)
        return self._settled(item, headers, outputs=outputs, terminal=outcome.terminal, dead=letter), not keeps_place

    async def _run_lane(self, delivery: Delivery) -> Commit:
        """Run a lane's items in order, threading the key's state through them; commit all of them, or a prefix.

        A node that fails, or is cut short, may have changed the state before. So the first item ends against the state
        as it was stored; when a later one fails nothing of this hand-out is kept, and the lane hands out just those
        before it.
        """
        entry = delivery.entry
        keyed = self._admission.keyed_of(entry.items[0])
        try:
            state = self._states.load(entry, keyed)
        except HeadraceError as error:
            failure = self._unreadable(error)
            letters = tuple(self._give_up_item(item, delivery, failure) for item in entry.items)
            return Commit(delivery.partition, delivery.id, letters, (), entry.lane)
        settled: list[Settled] = []
        for position, item in enumerate(entry.items):
            one, keeps_state = await self._settle(item, delivery, state)
            if keeps_state:
                settled.append(one)
            elif position > 0:
                return Commit(delivery.partition, delivery.id, (), entry.items, entry.lane, None, position)
            else:
                return Commit(delivery.partition, delivery.id, (one,), entry.items[1:], entry.lane)
        try:
            saved = self._admission.save_state(keyed, state)
        except HeadraceError as error:
            return self._unsaved(delivery, error)
        if saved is not None:
            self._states.saved(entry.lane, saved, state)
        ttl_ms = int(keyed.state_ttl_s * _MS) if keyed is not None and keyed.state_ttl_s is not None else 0
        return Commit(delivery.partition, delivery.id, tuple(settled), (), entry.lane, saved, 0, ttl_ms)

    def _unsaved(self, delivery: Delivery, error: HeadraceError) -> Commit:
        """Fail the item after which the state cannot be saved; of several, each is handed out alone to find it."""
        entry = delivery.entry
        first, *others = entry.items
        if others:
            return Commit(delivery.partition, delivery.id, (), entry.items, entry.lane, None, 1)
        failure = Failure(FailureKind.INVALID_MESSAGE, FailureSource.USER_CODE, "", self._group, type(error).__name__)
        settled = self._give_up_item(first, delivery, failure)
        return Commit(delivery.partition, delivery.id, (settled,), (), entry.lane)

    def _give_up_item(self, item: Item, delivery: Delivery, failure: Failure) -> Settled:
        try:
            headers = self._admission.headers_of(item)
        except EnvelopeError:
            return self._failed_unread(item, delivery, failure)
        return self._failed(item, delivery, failure, headers)

    def _failed(
        self, item: Item, delivery: Delivery, failure: Failure, headers: Envelope, failed: Envelope | None = None
    ) -> Settled:
        """Fail an item's run.

        Args:
            headers: The item's.
            failed: Headers of the call that failed, where that is another: a node behind the item's.
        """
        seen = failed or headers
        letter = self._letter(item, delivery, failure, headers.trace_id, seen)
        terminal = ended(RunState.FAILED, failure, seen.traceparent)
        return self._settled(item, headers, terminal=terminal, dead=letter)

    def _failed_unread(self, item: Item, delivery: Delivery, failure: Failure) -> Settled:
        """Fail the run that an item names in clear; where it names none there is just the dead letter."""
        trace_id = run_of(item)
        terminal = ended(RunState.FAILED, failure) if trace_id else None
        letter = self._letter(item, delivery, failure, trace_id, None)
        return Settled(trace_id, item.ticket, terminal=terminal, dead=letter, stash=item.stash)

    def _settled(
        self,
        item: Item,
        headers: Envelope,
        *,
        outputs: tuple[Output, ...] = (),
        terminal: Terminal | None = None,
        dead: bytes | None = None,
    ) -> Settled:
        node = self._plan.nodes.get(headers.node)
        feeds = self._feeds.of(node, headers.scope) if node else ()
        tickets = tickets_of(self._plan, headers)
        return Settled(
            headers.trace_id, item.ticket, outputs, terminal, dead, tickets, feeds, item.stash, headers.keeps_events
        )

    def _unreadable(self, error: HeadraceError) -> Failure:
        return Failure(FailureKind.INVALID_MESSAGE, FailureSource.PLATFORM, "", self._group, error.code)

    def _letter(
        self, item: Item, delivery: Delivery, failure: Failure, trace_id: str, headers: Envelope | None
    ) -> bytes:
        at_ms = int(self._clock.now() * _MS)
        return dead_letter.encode(
            DeadLetter(
                frames=item.frames,
                group=self._group,
                failure=failure,
                trace_id=trace_id,
                attempt=headers.attempt if headers else 0,
                deliveries=delivery.deliveries,
                first_ms=(headers.failed_ms if headers else 0) or at_ms,
                at_ms=at_ms,
                plan=self._plan.version,
            )
        )
