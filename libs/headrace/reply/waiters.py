"""Waiters: callers in this process who wait for a run's terminal event, by trace_id.

A process has one inbox on the bus; the reply coordinator puts the terminal events of its waiters there.
"""

import asyncio
import math
from collections import Counter, OrderedDict
from collections.abc import AsyncGenerator, Generator, Iterable
from contextlib import asynccontextmanager, contextmanager

import structlog

from headrace.bus.protocol import Bus
from headrace.errors import BusError, UnknownRunError, WaitTimeoutError
from headrace.ledger.values import RunView, Terminal, TerminalEvent
from headrace.reply.long_waits import LongWaits

_log = structlog.get_logger("headrace.reply")
_READ_WAIT_S = 0.5  # bounds how long a stop waits for the read under way
_READ_LIMIT = 512
_RETRY_S = 0.2  # between reads while the bus is away
_LOOK_EVERY_S = 5.0
_LOOK_LIMIT = 256  # runs asked for in one look: some 50 ms of round trips
_REMEMBERED = 4096  # answered trace_ids, by which a duplicate is told from a late reply, and both from one caught up


class Waiters:
    """The waiters of one process.

    Args:
        inbox: This process's name on the bus, unique among live processes.
        look_every_s: Seconds between looks whether runs that are waited for are still there.

    Attributes:
        counts: `replied`, `duplicate_terminal`, `late_reply_drop`, `timed_out`, `run_lost`.
        read_s: Loop time of the last completed read of the inbox.
        turn_s: Loop time of the last turn of the reader, whose read may have failed: when it stops moving, the reader
            is dead, while `read_s` stops with the bus, too.
    """

    def __init__(self, bus: Bus, inbox: str, *, look_every_s: float = _LOOK_EVERY_S) -> None:
        self._bus = bus
        self._look_every_s = look_every_s
        self.inbox = inbox
        self.counts: Counter[str] = Counter()
        self.read_s = 0.0
        self.turn_s = 0.0
        self._waiting: dict[str, set[asyncio.Future[Terminal]]] = {}
        self._starting: set[str] = set()
        self._long = LongWaits(look_every_s, _LOOK_LIMIT)
        self._stopping = asyncio.Event()
        self._is_over = False
        self._until_s = math.inf
        self._limits: set[asyncio.Timeout] = set()
        self._answered: OrderedDict[str, bool] = OrderedDict()

    def __len__(self) -> int:
        """Count the waits under way."""
        return sum(map(len, self._waiting.values()))

    async def run(self) -> None:
        """Read the inbox until `stop`; waits still under way are then cancelled, and those that come later at once."""
        self.read_s = asyncio.get_running_loop().time()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._look_all(), name="look")
                await self._read_all()
        finally:
            self._is_over = True
            for futures in self._waiting.values():
                for future in futures:
                    future.cancel()

    def stop(self) -> None:
        """Ask `run` to return after the read under way; idempotent, legal before start."""
        self._stopping.set()

    @asynccontextmanager
    async def expect(self, trace_id: str) -> AsyncGenerator[asyncio.Future[Terminal]]:
        """Expect a run's terminal event, in this process; telling the bus is the caller's (`submit`, or `watch`).

        Yields:
            What the event will resolve.
        """
        future = self.register(trace_id)
        try:
            yield future
        finally:
            self.discard(trace_id, future)

    def register(self, trace_id: str) -> asyncio.Future[Terminal]:
        """Expect a run's terminal event until `discard`; for many runs at a time, otherwise use `expect`."""
        future: asyncio.Future[Terminal] = asyncio.get_running_loop().create_future()
        if self._is_over:
            future.cancel()
        self._waiting.setdefault(trace_id, set()).add(future)
        return future

    def discard(self, trace_id: str, future: asyncio.Future[Terminal]) -> None:
        """Expect it no longer."""
        futures = self._waiting.get(trace_id, set())
        futures.discard(future)
        if not futures:
            self._waiting.pop(trace_id, None)

    @contextmanager
    def starting(self, trace_ids: Iterable[str]) -> Generator[None]:
        """Say that runs are being started: as long as that takes, it is no loss that the bus does not know them."""
        started = frozenset(trace_ids)
        self._starting |= started
        try:
            yield
        finally:
            self._starting -= started

    async def wait(self, trace_id: str, timeout_s: float) -> Terminal:
        """Wait for a run that was started elsewhere, or whose first wait ran out.

        Raises:
            UnknownRunError: No run has this trace_id.
            WaitTimeoutError: The wait ran out.
        """
        async with self.expect(trace_id) as future:
            try:
                view = await self._bus.watch(trace_id, self.inbox)
            except asyncio.CancelledError:  # it may have been registered
                await asyncio.shield(self._leave(trace_id, future))
                raise
            if view is None:
                raise UnknownRunError(trace_id)
            return view.terminal or await self.result(trace_id, future, timeout_s)

    async def result(self, trace_id: str, future: asyncio.Future[Terminal], timeout_s: float) -> Terminal:
        """Wait for an expected event; when the wait runs out or is cancelled, the bus is told that nobody waits.

        Raises:
            UnknownRunError: The run is known no longer.
            WaitTimeoutError: The wait ran out; the run goes on.
        """
        clock = asyncio.get_running_loop().time
        started_s = clock()
        limit = asyncio.timeout(min(timeout_s, self._until_s - started_s))
        self._limits.add(limit)
        try:
            async with limit:
                return await future
        except TimeoutError:
            self.counts["timed_out"] += 1
            await self._leave(trace_id, future)
            raise WaitTimeoutError(trace_id, min(timeout_s, clock() - started_s)) from None
        except asyncio.CancelledError:
            await asyncio.shield(self._leave(trace_id, future))
            raise
        finally:
            self._limits.discard(limit)

    def hurry(self, within_s: float) -> None:
        """Let no wait last longer than this from now: their process is about to end, and their callers ask again."""
        self._until_s = asyncio.get_running_loop().time() + within_s
        for limit in self._limits:
            if not limit.expired():
                limit.reschedule(min(limit.when() or math.inf, self._until_s))

    async def _read_all(self) -> None:
        is_behind = False
        while not self._stopping.is_set():
            self.turn_s = asyncio.get_running_loop().time()
            try:
                await self._read(0.0 if is_behind else _READ_WAIT_S)
                if is_behind:
                    await self._catch_up()
                is_behind = False
            except BusError as error:
                _log.warning("inbox_unreadable", code=error.code)
                is_behind = True
                await asyncio.sleep(_RETRY_S)

    async def _read(self, wait_s: float) -> None:
        events = await self._bus.read_inbox(self.inbox, limit=_READ_LIMIT, wait_s=wait_s)
        self.read_s = asyncio.get_running_loop().time()
        for event in events:
            self._resolve(event)

    async def _catch_up(self) -> None:
        """Ask for every run waited for: while the bus was away its event, or our name on it, may have been lost."""
        for trace_id in list(self._waiting):
            view = await self._bus.watch(trace_id, self.inbox)
            self.turn_s = asyncio.get_running_loop().time()
            self._take(view)

    async def _look_all(self) -> None:
        """Look now and then until `stop` whether runs that are waited for long are still there."""
        while not await self._is_stopping_within(self._look_every_s):
            try:
                while await self._finds_one_lost():  # where one is gone others may be, so more are asked for
                    pass
            except BusError as error:
                _log.warning("runs_unknown", code=error.code)

    async def _finds_one_lost(self) -> bool:
        """Ask for some runs: of one that went with its server's memory no event tells, and its waiter would wait on."""
        is_any_lost = False
        for trace_id in self._long.due(self._waiting.keys() - self._starting, asyncio.get_running_loop().time()):
            if self._stopping.is_set():
                return False
            view = await self._bus.view(trace_id)
            self._take(view)
            if view is None:
                is_any_lost = True
                self._lose(trace_id)
        return is_any_lost

    async def _is_stopping_within(self, pause_s: float) -> bool:
        try:
            async with asyncio.timeout(pause_s):
                return await self._stopping.wait()
        except TimeoutError:
            return False

    def _take(self, view: RunView | None) -> None:
        """Take an answer from a run's record, ahead of its event."""
        if view is not None and view.terminal is not None and view.trace_id in self._waiting:
            self._resolve(TerminalEvent(view.trace_id, view.terminal))
            self._answered[view.trace_id] = True

    def _lose(self, trace_id: str) -> None:
        for future in self._waiting.pop(trace_id, ()):
            self.counts["run_lost"] += 1
            if not future.done():
                future.set_exception(UnknownRunError(trace_id))
                future.exception()  # whoever waits is told; that nobody asks any more is no error

    async def _leave(self, trace_id: str, future: asyncio.Future[Terminal]) -> None:
        if self._waiting.get(trace_id, set()) - {future}:
            return
        try:
            await self._bus.unwatch(trace_id, self.inbox)
        except BusError as error:  # the terminal event will find nobody, which is counted then
            _log.warning("unwatch_failed", trace_id=trace_id, code=error.code)

    def _resolve(self, event: TerminalEvent) -> None:
        futures = self._waiting.pop(event.trace_id, None)
        if futures is None:
            is_caught_up = self._answered.get(event.trace_id)
            if is_caught_up:  # this is the event that it was ahead of
                self._answered[event.trace_id] = False
            else:
                self.counts["late_reply_drop" if is_caught_up is None else "duplicate_terminal"] += 1
            return
        self.counts["replied"] += 1
        self._answered[event.trace_id] = False
        if len(self._answered) > _REMEMBERED:
            self._answered.popitem(last=False)
        for future in futures:
            if not future.done():
                future.set_result(event.terminal)
