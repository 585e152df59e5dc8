"""The bus of one process: the ledger itself, with streams in memory. It forgets everything with its process."""

import asyncio
import heapq
from collections import defaultdict, deque
from collections.abc import Sequence
from itertools import count

from headrace.bus.memory.stream import MemoryStream
from headrace.kernel.clock import Clock, SystemClock
from headrace.ledger import algebra
from headrace.ledger.state import Append, DeadLettered, Drained, Effect, Ended, Ledger, Scheduled
from headrace.ledger.terminal import STARVED
from headrace.ledger.values import (
    Answer,
    Commit,
    Delivery,
    RunView,
    Schedule,
    Submission,
    Terminal,
    TerminalEvent,
)

_MS = 1000


class MemoryBus:
    """Keeps the bus contract in one event loop; every method that changes state does so without awaiting.

    Args:
        clock: Leases, schedules and retention go by it.
        retention_s: Seconds that the record of an ended run is kept.
        lane_batch: The most items that a lane hands out at once.
    """

    def __init__(self, *, clock: Clock | None = None, retention_s: float = 3600.0, lane_batch: int = 256) -> None:
        self._clock = clock or SystemClock()
        self._retention_s = retention_s
        self._ledger = Ledger(lane_batch=lane_batch)
        self._streams: defaultdict[str, MemoryStream] = defaultdict(MemoryStream)
        self._schedules: defaultdict[str, list[tuple[float, int, str, Schedule]]] = defaultdict(list)
        self._schedule_ids = count()
        self._dead: defaultdict[str, list[bytes]] = defaultdict(list)
        self._replies: deque[TerminalEvent] = deque()
        self._undelivered: dict[str, TerminalEvent] = {}
        self._reply_ids = count(1)
        self._waiters: dict[str, tuple[str, ...]] = {}
        self._inboxes: defaultdict[str, deque[TerminalEvent]] = defaultdict(deque)
        self._drained: deque[tuple[float, str]] = deque()
        self._sleepers: defaultdict[tuple[str, str], set[asyncio.Future[None]]] = defaultdict(set)

    async def read(self, group: str, consumer: str, *, limit: int, wait_s: float) -> list[Delivery]:
        stream = self._streams[group]
        deliveries = stream.read(consumer, limit, self._clock.monotonic())
        if not deliveries and await self._wait(("stream", group), wait_s):
            deliveries = stream.read(consumer, limit, self._clock.monotonic())
        return deliveries

    async def claim(self, group: str, consumer: str, *, limit: int, idle_s: float) -> list[Delivery]:
        return self._streams[group].claim(consumer, limit, idle_s, self._clock.monotonic())

    async def extend(self, group: str, consumer: str, deliveries: Sequence[Delivery]) -> list[bool]:
        now_s = self._clock.monotonic()
        return [self._streams[group].extend(consumer, delivery, now_s) for delivery in deliveries]

    async def commit(self, group: str, commits: Sequence[Commit]) -> list[list[Answer]]:
        return [self._commit(group, commit) for commit in commits]

    async def promote(self, group: str, *, limit: int) -> int:
        scheduled = self._schedules[group]
        due: list[tuple[str, Schedule]] = []
        while scheduled and len(due) < limit and scheduled[0][0] <= self._clock.monotonic():
            _, _, trace_id, schedule = heapq.heappop(scheduled)
            due.append((trace_id, schedule))
        self._carry_out(group, algebra.promote(self._ledger, due))
        return len(due)

    async def backlog(self, group: str) -> int:
        return len(self._streams[group])

    async def dead_letters(self, group: str, *, limit: int) -> list[bytes]:
        return self._dead[group][:limit]

    async def submit(self, submissions: Sequence[Submission]) -> list[bool]:
        self._forget_old_runs()
        return [self._submit(submission) for submission in submissions]

    async def view(self, trace_id: str) -> RunView | None:
        run = self._ledger.runs.get(trace_id)
        if run is None:
            return None
        return RunView(trace_id, run.pipe, run.plan, run.terminal, run.in_flight, run.created_ms)

    async def watch(self, trace_id: str, inbox: str) -> RunView | None:
        view = await self.view(trace_id)
        if view is not None and view.terminal is None:
            waiting = self._waiters.get(trace_id, ())
            self._waiters[trace_id] = waiting if inbox in waiting else (*waiting, inbox)
        return view

    async def unwatch(self, trace_id: str, inbox: str) -> None:
        waiting = tuple(other for other in self._waiters.get(trace_id, ()) if other != inbox)
        if waiting:
            self._waiters[trace_id] = waiting
        else:
            self._waiters.pop(trace_id, None)

    async def end(self, trace_id: str, terminal: Terminal, tickets: Sequence[tuple[str, str]]) -> bool:  # noqa: ARG002 - the ledger knows the tickets itself
        effects = algebra.end(self._ledger, trace_id, terminal)
        self._carry_out("", effects or [])
        return effects is not None

    async def read_replies(self, consumer: str, *, limit: int, wait_s: float) -> list[TerminalEvent]:  # noqa: ARG002 - in one process no reader dies alone
        if not self._replies:
            await self._wait(("replies", ""), wait_s)
        events = [self._replies.popleft() for _ in range(min(limit, len(self._replies)))]
        self._undelivered.update((event.id, event) for event in events)
        return events

    async def waiters(self, trace_ids: Sequence[str]) -> list[tuple[str, ...]]:
        return [self._waiters.get(trace_id, ()) for trace_id in trace_ids]

    async def deliver(self, matches: Sequence[tuple[TerminalEvent, tuple[str, ...]]]) -> int:
        delivered = 0
        for event, inboxes in matches:
            if self._undelivered.pop(event.id, None) is None:
                continue
            delivered += 1
            self._waiters.pop(event.trace_id, None)
            for inbox in inboxes:
                self._inboxes[inbox].append(event)
                self._wake(("inbox", inbox))
        return delivered

    async def read_inbox(self, inbox: str, *, limit: int, wait_s: float) -> list[TerminalEvent]:
        events = self._inboxes[inbox]
        if not events:
            await self._wait(("inbox", inbox), wait_s)
        return [events.popleft() for _ in range(min(limit, len(events)))]

    async def aclose(self) -> None:
        """Wake every reader with nothing, so that who is stopping need not wait its read out."""
        for channel in list(self._sleepers):
            self._wake(channel)

    def _submit(self, submission: Submission) -> bool:
        effects = algebra.submit(self._ledger, submission, int(self._clock.now() * _MS))
        if effects is None:
            return False
        if submission.inbox:
            self._waiters[submission.trace_id] = (submission.inbox,)
        self._carry_out("", effects)
        return True

    def _commit(self, group: str, commit: Commit) -> list[Answer]:
        if not self._streams[group].acknowledge(commit.delivery_id):
            return [Answer.FENCED] * len(commit.settled)
        answers, effects = algebra.commit(self._ledger, commit, STARVED)
        self._carry_out(group, effects)
        return answers

    def _carry_out(self, group: str, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Append(target, entry):
                    self._streams[target].append(entry)
                    self._wake(("stream", target))
                case Scheduled(trace_id, schedule):
                    due_s = self._clock.monotonic() + schedule.delay_ms / _MS
                    item = (due_s, next(self._schedule_ids), trace_id, schedule)
                    heapq.heappush(self._schedules[schedule.group], item)
                case DeadLettered(blob):
                    self._dead[group].append(blob)
                case Ended(trace_id, terminal):
                    self._replies.append(TerminalEvent(trace_id, terminal, 0, str(next(self._reply_ids))))
                    self._wake(("replies", ""))
                case Drained(trace_id):
                    self._drained.append((self._clock.monotonic() + self._retention_s, trace_id))

    def _forget_old_runs(self) -> None:
        now_s = self._clock.monotonic()
        while self._drained and self._drained[0][0] <= now_s:
            self._ledger.runs.pop(self._drained.popleft()[1], None)

    async def _wait(self, channel: tuple[str, str], wait_s: float) -> bool:
        sleeper: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers[channel].add(sleeper)
        try:
            async with asyncio.timeout(wait_s):
                await sleeper
        except TimeoutError:
            return False
        finally:
            self._sleepers[channel].discard(sleeper)
        return True

    def _wake(self, channel: tuple[str, str]) -> None:
        for sleeper in self._sleepers[channel]:
            if not sleeper.done():
                sleeper.set_result(None)
