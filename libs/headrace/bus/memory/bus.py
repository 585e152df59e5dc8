"""The bus of one process: the ledger itself, with streams in memory. It forgets everything with its process."""

import heapq
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from itertools import count, islice

from headrace.bus.memory.channels import MemoryChannels
from headrace.bus.memory.chronicles import Chronicles
from headrace.bus.memory.inboxes import Inboxes
from headrace.bus.memory.listeners import Listeners
from headrace.bus.memory.replies import MemoryReplies
from headrace.bus.memory.roster import MemoryRoster
from headrace.bus.memory.sleepers import Sleepers
from headrace.bus.memory.stream import MemoryStream
from headrace.bus.protocol import DEFAULT_KEPT_EVENTS
from headrace.kernel.clock import Clock, SystemClock, random_bytes
from headrace.ledger import algebra
from headrace.ledger.lanes import forget
from headrace.ledger.level import Level
from headrace.ledger.state import (
    Abandoned,
    Append,
    Cleared,
    DeadLettered,
    Drained,
    Effect,
    Ended,
    Idle,
    Kept,
    Ledger,
    Scheduled,
)
from headrace.ledger.terminal import EXPIRED
from headrace.ledger.told import Told
from headrace.ledger.values import (
    Alarm,
    Answer,
    Commit,
    Delivery,
    Letter,
    Load,
    RunEvent,
    RunState,
    RunView,
    Schedule,
    Submission,
    Submitted,
    Terminal,
    TerminalEvent,
)

_MS = 1000
_ID_BYTES = 6


class MemoryBus(MemoryChannels, MemoryRoster):
    """Keeps the bus contract in one event loop; every method that changes state does so without awaiting.

    Args:
        clock: Leases, schedules and retention go by it.
        retention_s: Seconds that the record of an ended run is kept.
        lane_batch: The most items that a lane hands out at once.
        kept_events: The most events of a run that are kept; the oldest go first.
    """

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        retention_s: float = 3600.0,
        lane_batch: int = 256,
        kept_events: int = DEFAULT_KEPT_EVENTS,
    ) -> None:
        self._clock = clock or SystemClock()
        self._retention_s = retention_s
        self._ledger = Ledger(lane_batch=lane_batch)
        # from a random number on: what was handed out before a restart is never taken for what was handed out since
        self._ids = count(int.from_bytes(random_bytes(_ID_BYTES)))
        self._streams: defaultdict[str, MemoryStream] = defaultdict(lambda: MemoryStream(self._entry_id))
        self._schedules: defaultdict[str, list[tuple[float, int, str, Schedule | Alarm]]] = defaultdict(list)
        self._dead: defaultdict[str, dict[str, bytes]] = defaultdict(dict)
        self._deadlines: list[tuple[float, str]] = []
        self._abandoned: dict[str, None] = {}
        self._listeners = Listeners()
        self._replies = MemoryReplies()
        self._waiters: dict[str, tuple[str, ...]] = {}
        self._inboxes = Inboxes()
        self._drained: deque[tuple[float, str]] = deque()
        self._idle: list[tuple[float, int, Idle]] = []
        self._sleepers = Sleepers()
        MemoryChannels.__init__(self, self._clock, self._sleepers)
        MemoryRoster.__init__(self, self._clock)
        self._chronicles = Chronicles(kept_events, self._sleepers, self._clock)

    async def read(self, group: str, consumer: str, *, limit: int, wait_s: float) -> list[Delivery]:
        stream = self._streams[group]
        deliveries = stream.read(consumer, limit, self._clock.monotonic())
        if not deliveries and await self._sleepers.wait(("stream", group), wait_s):
            deliveries = stream.read(consumer, limit, self._clock.monotonic())
        if stream.has_new:
            self._sleepers.wake(("stream", group))
        return deliveries

    async def claim(self, group: str, consumer: str, *, limit: int, idle_s: float) -> list[Delivery]:
        return self._streams[group].claim(consumer, limit, idle_s, self._clock.monotonic())

    async def extend(self, group: str, consumer: str, deliveries: Sequence[Delivery]) -> list[bool]:
        return self._streams[group].extend(consumer, deliveries, self._clock.monotonic())

    def leave(self, group: str, consumer: str) -> None:
        """Take a consumer for dead unless it reads, claims or extends within a moment: others may have what it held.

        One that was taken for dead and is not is fenced like any other that was slow (I2).
        """
        self._streams[group].leave(consumer, self._clock.monotonic())

    async def commit(self, group: str, commits: Sequence[Commit]) -> list[list[Answer]]:
        return [self._commit(group, commit) for commit in commits]

    async def promote(self, group: str, *, limit: int) -> int:
        scheduled = self._schedules[group]
        due: list[tuple[str, Schedule | Alarm]] = []
        while scheduled and len(due) < limit and scheduled[0][0] <= self._clock.monotonic():
            _, _, trace_id, what = heapq.heappop(scheduled)
            due.append((trace_id, what))
        self._carry_out(group, algebra.promote(self._ledger, due))
        return len(due)

    async def expire(self, *, limit: int) -> int:
        expired = 0
        while self._deadlines and expired < limit and self._deadlines[0][0] <= self._clock.monotonic():
            _, trace_id = heapq.heappop(self._deadlines)
            effects = algebra.end(self._ledger, trace_id, EXPIRED)
            self._carry_out("", effects or [])
            expired += effects is not None
        return expired

    async def stashed(self, trace_id: str, stash: str, *, offset: int, limit: int) -> list[bytes]:
        run = self._ledger.runs.get(trace_id)
        arrivals = run.joins.get(stash) if run is not None else None
        return arrivals.gathered[offset : offset + limit] if arrivals is not None else []

    async def recall(self, trace_id: str, name: str) -> bytes | None:
        run = self._ledger.runs.get(trace_id)
        return run.memory.get(name) if run is not None else None

    async def remember(self, trace_id: str, name: str, blob: bytes) -> bytes:
        run = self._ledger.runs.get(trace_id)
        return run.memory.setdefault(name, blob) if run is not None and algebra.takes_work(run) else blob

    async def abandoned(self, listener: str, *, wait_s: float) -> list[str]:
        if not self._listeners.knows(listener):
            return self._listeners.begin(listener, list(self._abandoned))
        if not self._listeners.has_news(listener):
            await self._sleepers.wait(("control", ""), wait_s)
        return self._listeners.take(listener)

    async def unlisten(self, listener: str) -> None:
        self._listeners.leave(listener)

    async def sweep(self, group: str, *, idle_s: float) -> int:
        return self._streams[group].sweep(self._clock.monotonic() - idle_s)

    async def backlog(self, group: str) -> int:
        return len(self._streams[group])

    async def level(self, group: str) -> Level:
        stream = self._streams[group]
        return Level(len(stream), stream.oldest_s(self._clock.monotonic()), len(self._dead[group]))

    async def dead_letters(self, group: str, *, limit: int) -> list[Letter]:
        return [Letter(0, letter_id, blob) for letter_id, blob in islice(self._dead[group].items(), limit)]

    async def submit(self, submissions: Sequence[Submission]) -> list[Submitted]:
        self._forget_what_is_old()
        return [self._submit(submission) for submission in submissions]

    async def view(self, trace_id: str) -> RunView | None:
        run = self._ledger.runs.get(trace_id)
        if run is None:
            return None
        return RunView(
            trace_id,
            run.pipe,
            run.plan,
            run.terminal,
            run.in_flight,
            run.waiting,
            run.created_ms,
            run.fingerprint,
            trace_id in self._chronicles,
        )

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

    async def end(self, trace_id: str, terminal: Terminal) -> bool:
        effects = algebra.end(self._ledger, trace_id, terminal)
        self._carry_out("", effects or [])
        if effects is not None:
            await self._listeners.have_heard()
        return effects is not None

    async def signal(self, trace_id: str, signal: str, frame: bytes, groups: Sequence[str]) -> bool:  # noqa: ARG002 - the ledger knows what is parked where
        effects = algebra.signal(self._ledger, trace_id, signal, frame)
        self._carry_out("", effects or [])
        return effects is not None

    async def redrive(self, group: str, letter: Letter, submission: Submission) -> bool:
        if letter.id not in self._dead[group] or self._submit(submission) is not Submitted.NEW:
            return False
        del self._dead[group][letter.id]
        return True

    async def purge(self, group: str, letters: Sequence[Letter]) -> int:
        return sum(self._dead[group].pop(letter.id, None) is not None for letter in letters)

    async def load(self, pipe: str) -> Load:
        return Load(self._ledger.started.get(pipe, 0), self._ledger.ended.get(pipe, 0))

    async def now_ms(self) -> int:
        return int(self._clock.now() * _MS)

    async def read_replies(self, consumer: str, *, limit: int, wait_s: float) -> list[TerminalEvent]:  # noqa: ARG002 - whose lease it is makes no difference
        events = self._replies.take(limit, self._clock.monotonic())
        if not events and await self._sleepers.wait(("replies", ""), wait_s):
            events = self._replies.take(limit, self._clock.monotonic())
        if self._replies.has_new:
            self._sleepers.wake(("replies", ""))
        return events

    async def waiters(self, trace_ids: Sequence[str]) -> list[tuple[str, ...]]:
        return [self._waiters.get(trace_id, ()) for trace_id in trace_ids]

    async def deliver(self, matches: Sequence[tuple[TerminalEvent, tuple[str, ...]]]) -> int:
        delivered = 0
        for event, inboxes in matches:
            if not self._replies.deal_with(event):
                continue
            delivered += 1
            self._waiters.pop(event.trace_id, None)
            for inbox in inboxes:
                self._inboxes.put(inbox, event, self._clock.monotonic())
                self._sleepers.wake(("inbox", inbox))
        return delivered

    async def read_inbox(self, inbox: str, *, limit: int, wait_s: float) -> list[TerminalEvent]:
        events = self._inboxes.take(inbox, limit, self._clock.monotonic())
        if not events and await self._sleepers.wait(("inbox", inbox), wait_s):
            events = self._inboxes.take(inbox, limit, self._clock.monotonic())
        return events

    async def tell(self, told: Sequence[Told]) -> None:
        for one in told:
            run = self._ledger.runs.get(one.trace_id)
            if run is not None and run.state is RunState.OPEN:
                self._chronicles.keep(one)

    async def events(self, after: Mapping[str, int], *, limit: int, wait_s: float) -> dict[str, list[RunEvent]]:
        return await self._chronicles.read(after, limit, wait_s)

    async def aclose(self) -> None:
        """Wake every reader with nothing, so that who is stopping need not wait its read out."""
        self._sleepers.wake_everybody()

    def _entry_id(self) -> str:
        return f"{int(self._clock.now() * _MS)}-{next(self._ids)}"

    def _submit(self, submission: Submission) -> Submitted:
        answer, effects = algebra.submit(self._ledger, submission, int(self._clock.now() * _MS))
        if answer is not Submitted.NEW:
            return answer
        if submission.inbox:
            self._waiters[submission.trace_id] = (submission.inbox,)
        if submission.timeout_ms:
            due_s = self._clock.monotonic() + submission.timeout_ms / _MS
            heapq.heappush(self._deadlines, (due_s, submission.trace_id))
        if submission.keeps_events:
            self._chronicles.begin(submission.trace_id)
        self._carry_out("", effects)
        return answer

    def _commit(self, group: str, commit: Commit) -> list[Answer]:
        if not self._streams[group].acknowledge(commit.delivery_id):
            return [Answer.FENCED] * len(commit.settled)
        answers, effects = algebra.commit(self._ledger, commit)
        self._carry_out(group, effects)
        return answers

    def _carry_out(self, group: str, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Append(target, entry):
                    self._streams[target].append(entry, self._clock.monotonic())
                    self._sleepers.wake(("stream", target))
                case Scheduled(trace_id, target, delay_ms, what):
                    due_s = self._clock.monotonic() + delay_ms / _MS
                    heapq.heappush(self._schedules[target], (due_s, next(self._ids), trace_id, what))
                case DeadLettered(blob):
                    self._dead[group][str(next(self._ids))] = blob
                case Abandoned(trace_id):
                    self._abandoned[trace_id] = None
                    self._listeners.tell(trace_id)
                    self._sleepers.wake_all(("control", ""))
                case Cleared(trace_id):
                    self._abandoned.pop(trace_id, None)
                case Ended() | Kept():
                    self._tell(effect)
                case Idle(delay_ms=delay_ms):
                    heapq.heappush(self._idle, (self._clock.monotonic() + delay_ms / _MS, next(self._ids), effect))
                case Drained(trace_id):
                    self._drained.append((self._clock.monotonic() + self._retention_s, trace_id))

    def _tell(self, effect: Ended | Kept) -> None:
        if isinstance(effect, Kept):
            self._chronicles.keep(effect.told)
            return
        self._replies.append(TerminalEvent(effect.trace_id, effect.terminal, 0, str(next(self._ids))))
        self._sleepers.wake(("replies", ""))
        self._chronicles.end(effect.trace_id, effect.terminal)

    def _forget_what_is_old(self) -> None:
        now_s = self._clock.monotonic()
        while self._idle and self._idle[0][0] <= now_s:
            forget(self._ledger, heapq.heappop(self._idle)[2])
        while self._drained and self._drained[0][0] <= now_s:
            trace_id = self._drained.popleft()[1]
            self._ledger.runs.pop(trace_id, None)
            self._chronicles.forget(trace_id)
