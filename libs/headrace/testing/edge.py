"""A process's view of the bus in a trial: it notes what the process does there, and the process can die at it."""

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from typing import TypeVar, cast

from msgspec import Struct, structs

from headrace.bus.protocol import Bus
from headrace.errors import EnvelopeError
from headrace.graph.plan import ExecutionPlan
from headrace.kernel.events import KernelEvent, NodeEnded, NodeFailed, NodeStarted
from headrace.ledger import dead_letter
from headrace.ledger.terminal import failure_of, result_of
from headrace.ledger.values import (
    Answer,
    Commit,
    Delivery,
    Item,
    RunState,
    Settled,
    Submission,
    Submitted,
    Terminal,
    TerminalEvent,
)
from headrace.testing.faulty_bus import FaultyBus
from headrace.testing.record import CrashPoint, Hop, Message, Record
from headrace.wire.envelope import Envelope, Framing

T = TypeVar("T")
_WAITING = frozenset({"read", "read_replies", "read_inbox", "abandoned"})  # calls that wait for something to come


class _Call(Struct, frozen=True):
    """What an item asks for."""

    trace_id: str
    node: str
    taken: tuple[Message, ...]


class Edge(FaultyBus):
    """One process's view of a bus.

    A process that has died gets nothing any more, and nothing that it says counts; what it holds stays leased.

    Attributes:
        ended: Set when the process has died or is to stop.
    """

    def __init__(self, bus: Bus, plan: ExecutionPlan, record: Record) -> None:
        super().__init__(bus)
        self._plan = plan
        self._record = record
        self._framing = Framing()
        self._held: dict[tuple[int, str], tuple[_Call | None, ...]] = {}
        self.is_dead = False
        self.ended = asyncio.Event()

    def close(self) -> None:
        """Have calls that wait for something give nothing from now on; idempotent."""
        self.ended.set()

    def observe(self, event: KernelEvent) -> None:
        """Note a kernel event; the process dies in a node here.

        An asynchronous node is cut off at its first await, a synchronous one when it has returned: a thread cannot be
        stopped, and its remains would run beside its repetition.
        """
        self._record.events.append(event)
        if self.is_dead or not isinstance(event, (NodeStarted, NodeEnded, NodeFailed)):
            return
        is_async = self._plan.nodes[event.node].is_async
        if isinstance(event, NodeStarted) is not is_async:
            return
        if self._record.passes(CrashPoint.IN_NODE, event.trace_id, event.node):
            self._die()
            task = asyncio.current_task()
            if is_async and task is not None:
                task.cancel()

    async def submit(self, submissions: Sequence[Submission]) -> list[Submitted]:
        for submission in submissions:
            self._record.start(submission.trace_id)
        return await super().submit(submissions)

    async def read(self, group: str, consumer: str, *, limit: int, wait_s: float) -> list[Delivery]:
        deliveries = await super().read(group, consumer, limit=limit, wait_s=wait_s)
        self._hold(deliveries)
        calls = [call for delivery in deliveries for call in self._held[delivery.partition, delivery.id]]
        return [] if self._crashes(CrashPoint.AFTER_READ, calls) else deliveries

    async def claim(self, group: str, consumer: str, *, limit: int, idle_s: float) -> list[Delivery]:
        deliveries = await super().claim(group, consumer, limit=limit, idle_s=idle_s)
        self._hold(deliveries)
        return deliveries

    async def commit(self, group: str, commits: Sequence[Commit]) -> list[list[Answer]]:
        unanswered = [[Answer.LATE for _ in commit.settled] for commit in commits]
        calls = [call for commit in commits for call, _ in self._settled(commit)]
        if self.is_dead or self._crashes(CrashPoint.BEFORE_COMMIT, calls):
            return unanswered
        answers = await super().commit(group, commits)
        for commit, answered in zip(commits, answers, strict=True):
            self._note(commit, answered)
        return unanswered if self._crashes(CrashPoint.AFTER_COMMIT, calls) else answers

    async def read_inbox(self, inbox: str, *, limit: int, wait_s: float) -> list[TerminalEvent]:
        events = await super().read_inbox(inbox, limit=limit, wait_s=wait_s)
        self._record.terminals.update(event.trace_id for event in events)
        return events

    async def _call(self, method: str, call: Awaitable[T]) -> T:
        if method not in _WAITING or not self.ended.is_set():
            return await super()._call(method, call)
        cast("object", getattr(call, "close", lambda: None)())  # never awaited, on purpose
        await asyncio.sleep(0)  # whoever asks again and again leaves room for whoever stops it
        return cast("T", [])

    def _die(self) -> None:
        self.is_dead = True
        self.close()

    def _crashes(self, point: CrashPoint, calls: Iterable[_Call | None]) -> bool:
        hits = [self._record.passes(point, call.trace_id, call.node) for call in calls if call is not None]
        if any(hits):
            self._die()
        return any(hits)

    def _hold(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            self._held[delivery.partition, delivery.id] = tuple(self._asked(item) for item in delivery.entry.items)

    def _settled(self, commit: Commit) -> list[tuple[_Call | None, Settled]]:
        """Give what a commit settles, a prefix of what was delivered."""
        calls = self._held.get((commit.partition, commit.delivery_id), ())
        return list(zip(calls, commit.settled, strict=False))

    def _asked(self, item: Item) -> _Call | None:
        envelopes = [envelope for frame in item.frames if (envelope := self._opened(frame)) is not None]
        if not envelopes:
            return None
        return _Call(envelopes[0].trace_id, envelopes[0].node, tuple(map(_message, envelopes)))

    def _opened(self, frame: bytes) -> Envelope | None:
        try:
            return self._framing.open(frame)
        except EnvelopeError:
            return None

    def _note(self, commit: Commit, answered: list[Answer]) -> None:
        if all(answer is Answer.FENCED for answer in answered) and commit.settled:
            return
        for call, settled in self._settled(commit):
            if settled.dead is not None:
                self._record.dead_letters.append(dead_letter.decode(settled.dead))
            if call is not None:
                hop = Hop(self._record.message_of(call.trace_id), call.node, call.taken, self._given(settled))
                self._record.hops.append(hop)
                if commit.lane:
                    self._record.lanes[commit.lane].append(hop)
        if commit.lane and commit.state is not None:
            self._record.states[commit.lane] = commit.state

    def _given(self, settled: Settled) -> tuple[Message, ...]:
        """Give the messages of a hop's outputs, whatever kinds of output there are; a call again later is none."""
        frames = [part for output in settled.outputs for part in structs.asdict(output).values()]
        opened = [self._opened(frame) for frame in frames if isinstance(frame, bytes)]
        given = [_message(envelope) for envelope in opened if envelope is not None]
        return (*given, _ending(settled.terminal)) if settled.terminal is not None else tuple(given)


def _message(envelope: Envelope) -> Message:
    return Message(f"{envelope.node}.{envelope.slot}", envelope.type, envelope.body)


def _ending(terminal: Terminal) -> Message:
    if terminal.state is RunState.COMPLETED:
        result = result_of(terminal)
        return Message("", result.type, result.body)
    return Message("", "", str(failure_of(terminal)).encode())
