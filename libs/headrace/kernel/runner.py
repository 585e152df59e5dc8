"""The runner: a delivery in, the commit that ends it out. It knows no bus, no waiter and no reply."""

import random
from collections import OrderedDict

from headrace.errors import EnvelopeError, Failure, FailureKind, FailureSource, HeadraceError
from headrace.graph.plan import ExecutionPlan, Keyed
from headrace.kernel.admit import Admission, RefusedError
from headrace.kernel.clock import Clock, SystemClock
from headrace.kernel.events import Observer
from headrace.kernel.hop import HopFailedError, Hops
from headrace.kernel.inject import Injector
from headrace.kernel.outputs import tickets_of
from headrace.kernel.publisher import Publisher
from headrace.ledger import dead_letter
from headrace.ledger.dead_letter import DeadLetter
from headrace.ledger.terminal import ended
from headrace.ledger.values import Commit, Delivery, Entry, Item, RunState, Schedule, Settled
from headrace.wire.envelope import Envelope, Framing

_MS = 1000
_REMEMBERED_STATES = 64  # lanes whose decoded state is kept: hot ones come back at once, cold ones cost a decode


class AsyncRunner:
    """Runs the hops of one group of a plan.

    Args:
        injector: The process's container, from `lifecycle`.
        framing: Opens and seals frames.
        observers: Told of kernel events, after the pipe's own.
        clock: Deadlines go by it.
        shows_detail: Whether failures carry exception texts, which may hold payload.
    """

    def __init__(  # noqa: PLR0913 - the parts of one machine, all but two by name
        self,
        plan: ExecutionPlan,
        group: str,
        *,
        injector: Injector,
        framing: Framing,
        observers: tuple[Observer, ...] = (),
        clock: Clock | None = None,
        shows_detail: bool = False,
    ) -> None:
        self._plan = plan
        self._group = group
        self._framing = framing
        self._clock = clock or SystemClock()
        self._admission = Admission(plan, group, framing)
        self._states: OrderedDict[str, tuple[bytes, object]] = OrderedDict()
        self._hops = Hops(
            plan,
            group,
            seal=framing.seal,
            random=random.random,
            publisher=Publisher((*plan.observers, *observers)),
            injector=injector,
            shows_detail=shows_detail,
        )

    async def run(self, delivery: Delivery) -> Commit:
        """Run a delivery.

        Whatever is wrong with it, or goes wrong in a node, stands in the commit: dead letter, failed run or retry.
        """
        entry = delivery.entry
        if entry.lane:
            return await self._run_lane(delivery)
        settled = [await self._settle(item, delivery) for item in entry.items]
        return Commit(delivery.partition, delivery.id, tuple(settled))

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

    async def _settle(self, item: Item, delivery: Delivery, state: object = None) -> Settled:
        try:
            work = self._admission.admit(item)
        except EnvelopeError as error:
            return self._give_up_item(item, delivery, self._unreadable(error))
        except RefusedError as refused:
            return self._failed(item, delivery, refused.failure, refused.headers)
        headers = work.headers
        tickets = tickets_of(self._plan, headers)
        if headers.deadline_ms and self._clock.now() * _MS >= headers.deadline_ms:
            failure = Failure(FailureKind.DEADLINE, FailureSource.USER_CODE, headers.node, self._group)
            return Settled(headers.trace_id, item.ticket, (), ended(RunState.EXPIRED, failure), None, tickets)
        try:
            outcome = await self._hops.run(work, state=state, lane=delivery.entry.lane, ticket=item.ticket)
        except HopFailedError as failed:
            return self._failed(item, delivery, failed.failure, failed.work.headers)
        return Settled(headers.trace_id, item.ticket, tuple(outcome.outputs), outcome.terminal, None, tickets)

    async def _run_lane(self, delivery: Delivery) -> Commit:
        """Run a lane's items in order, threading the key's state through them; commit all of them, or a prefix.

        A node that fails may have changed the state before it did. So the first item fails against the state as it was
        stored; when a later one fails nothing of this hand-out is kept, and the lane hands out just those before it.
        """
        entry = delivery.entry
        keyed = self._admission.keyed_of(entry.items[0])
        try:
            state = self._state(entry, keyed)
        except HeadraceError as error:
            failure = self._unreadable(error)
            letters = tuple(self._give_up_item(item, delivery, failure) for item in entry.items)
            return Commit(delivery.partition, delivery.id, letters, (), entry.lane)
        settled: list[Settled] = []
        for position, item in enumerate(entry.items):
            one = await self._settle(item, delivery, state)
            if one.dead is None and not any(isinstance(output, Schedule) and output.lane for output in one.outputs):
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
            self._remember(entry.lane, saved, state)
        return Commit(delivery.partition, delivery.id, tuple(settled), (), entry.lane, saved)

    def _unsaved(self, delivery: Delivery, error: HeadraceError) -> Commit:
        """Fail the item after which the state cannot be saved; of several, each is handed out alone to find it."""
        entry = delivery.entry
        first, *others = entry.items
        if others:
            return Commit(delivery.partition, delivery.id, (), entry.items, entry.lane, None, 1)
        failure = Failure(FailureKind.INVALID_MESSAGE, FailureSource.USER_CODE, "", self._group, type(error).__name__)
        settled = self._give_up_item(first, delivery, failure)
        return Commit(delivery.partition, delivery.id, (settled,), (), entry.lane)

    def _state(self, entry: Entry, keyed: Keyed | None) -> object:
        """Decode the key's state, unless it is just what this process saved last, still in hand."""
        known = self._states.pop(entry.lane, None)
        if known is not None and known[0] == entry.state:
            return known[1]
        return self._admission.load_state(keyed, entry.state)

    def _remember(self, lane: str, saved: bytes, state: object) -> None:
        self._states[lane] = (saved, state)
        if len(self._states) > _REMEMBERED_STATES:
            self._states.popitem(last=False)

    def _give_up_item(self, item: Item, delivery: Delivery, failure: Failure) -> Settled:
        try:
            headers = self._admission.headers_of(item)
        except EnvelopeError:
            return Settled("", item.ticket, dead=self._letter(item, delivery, failure, None))
        return self._failed(item, delivery, failure, headers)

    def _failed(self, item: Item, delivery: Delivery, failure: Failure, headers: Envelope) -> Settled:
        terminal = ended(RunState.FAILED, failure)
        letter = self._letter(item, delivery, failure, headers)
        return Settled(headers.trace_id, item.ticket, (), terminal, letter, tickets_of(self._plan, headers))

    def _unreadable(self, error: HeadraceError) -> Failure:
        return Failure(FailureKind.INVALID_MESSAGE, FailureSource.PLATFORM, "", self._group, error.code)

    def _letter(self, item: Item, delivery: Delivery, failure: Failure, headers: Envelope | None) -> bytes:
        return dead_letter.encode(
            DeadLetter(
                frames=item.frames,
                group=self._group,
                failure=failure,
                trace_id=headers.trace_id if headers else "",
                attempt=headers.attempt if headers else 0,
                deliveries=delivery.deliveries,
                at_ms=int(self._clock.now() * _MS),
                plan=self._plan.version,
            )
        )
