"""The steps of a run: what is done with one piece of work, and what it sets free."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from math import inf

import anyio
from anyio.lowlevel import checkpoint
from dishka import AsyncContainer
from msgspec import structs

from headrace.errors import Failure, FailureKind, FailureSource, HeadraceError
from headrace.graph.options import Suspend
from headrace.kernel.attempts import Attempts
from headrace.kernel.comebacks import delay_of, until_of
from headrace.kernel.engine.book import Book
from headrace.kernel.engine.crew import Crew
from headrace.kernel.engine.dispatcher import Rest, Sent
from headrace.kernel.engine.group import StoppedError
from headrace.kernel.engine.memory import Memory
from headrace.kernel.engine.options import RunOptions
from headrace.kernel.engine.outlet import Outlet
from headrace.kernel.engine.parts import Parts
from headrace.kernel.engine.timers import Due, Timers
from headrace.kernel.engine.told import Told
from headrace.kernel.engine.uncoded import as_envelope, as_frame
from headrace.kernel.journal import NodeCancelledError
from headrace.kernel.outcome import HopFailedError
from headrace.kernel.outputs import Dispatch
from headrace.kernel.work import Work
from headrace.ledger.state import Append, Drained, Effect, Ended, Scheduled
from headrace.ledger.terminal import ended
from headrace.ledger.values import Alarm, Entry, Item, Park, RunState, Schedule, Terminal

_MS = 1000
_PLAIN = Item(())

Piece = Entry | Work | Rest


class Steps:
    """Does the work of one run.

    Args:
        book: Says what a step sets free.
        is_steered: As the crew's.
        is_late: Whether the run's time is up, and its tasks are about to be cancelled, of which calls that never wait
            see nothing; None for a run that has for ever.

    Attributes:
        request: The REQUEST scope of injected parameters; None where no node has any.
        terminal: How the run ended; None while it is open.
        failures: All of them, in order.
        cause: The exception behind the one that ended the run.
        waiting_for: The signals that all that is left of the run waits for, where it does not wait for signals.
    """

    def __init__(  # noqa: PLR0913 - the parts of one machine
        self,
        parts: Parts,
        book: Book,
        told: Told,
        options: RunOptions,
        outlet: Outlet | None,
        *,
        is_steered: bool,
        is_late: Callable[[], bool] | None,
    ) -> None:
        self._parts = parts
        self._book = book
        self._told = told
        self._is_heard = told.is_heard
        self._attempts = Attempts(
            parts.plan,
            parts.calls(),
            dispatcher=parts.dispatcher,
            random=random.random,
            publisher=told.publisher,
            store=Memory(book.run),
            shows_detail=options.shows_detail,
        )
        self._timers: Timers | None = None
        self._crew: Crew[Piece] = Crew(most=options.concurrency, outlet=outlet, is_steered=is_steered)
        self._is_late = is_late
        self._waits = options.waits
        self.request: AsyncContainer | None = None
        self.terminal: Terminal | None = None
        self.failures: list[Failure] = []
        self.cause: BaseException | None = None
        self.waiting_for: tuple[str, ...] = ()

    async def work(self) -> None:
        """Work until the run has ended, and nothing of it is left that could go on."""
        try:
            await self._crew.work(lambda: self.carry_out(self._book.opening), self._take)
        finally:
            self._timers = None
            self._told.metrics.tasks = self._crew.hired
            self._told.metrics.longest_queue = self._crew.longest_queue

    def carry_out(self, effects: Sequence[Effect]) -> None:
        """Carry out what the book says; for calls from outside of a step see that somebody works on it."""
        for effect in effects:
            match effect:
                case Append(entry=entry):
                    self._crew.ready.append(entry)
                case Scheduled(trace_id=trace_id, delay_ms=delay_ms, what=what):
                    self._keep(delay_ms / _MS, trace_id, what)
                case Ended(terminal=terminal):
                    self.terminal = terminal
                case Drained():
                    self._crew.stop()
                case _:
                    pass  # of streams, which there are none
        if self._is_heard:
            self._told.released(self._book.run, effects)
        if not self._waits:
            self._stop_where_all_waits()

    @property
    def are_ending(self) -> bool:
        """Whether they have been stopped, or have ended by themselves."""
        return self._crew.is_ending

    def stop(self) -> None:
        """Begin nothing further, and cancel what is under way."""
        self._crew.cut()

    def resume(self, effects: Sequence[Effect]) -> None:
        """Carry out what comes from outside of a step."""
        self.carry_out(effects)
        self._crew.call_up()

    def _stop_where_all_waits(self) -> None:
        """Begin nothing further where all that is left waits for signals, and nobody is there to send any."""
        if self._book.waits_for_signals and not (self._timers and self._timers.are_pending):
            self.waiting_for = tuple(self._book.run.parked)
            self._crew.stop()

    def _take(self, piece: Piece) -> Awaitable[Piece | None]:
        if self._is_late is not None and self._is_late():
            return anyio.sleep_forever()
        if isinstance(piece, Work):
            return self._call(piece, _PLAIN)
        if isinstance(piece, Rest):
            return self._page(piece)
        (item,) = piece.items
        first: object = item.frames[0]
        if isinstance(first, Rest):
            return self._page(first)
        work = _resumed(first, item) if isinstance(first, Work) else self._admitted(item)
        return self._call_in_lane(work, item, piece) if piece.lane else self._call(work, item)

    def _admitted(self, item: Item) -> Work:
        headers = as_envelope(item.frames[0])
        node = self._parts.plan.nodes[headers.node]
        if node.is_join and len(item.frames) == len(node.slots) and not node.gathers:  # nothing has to be decoded
            return Work(node, headers, {each.slot: each.body for each in map(as_envelope, item.frames)})
        arrivals = self._book.run.joins.get(item.stash)
        gathered = [as_envelope(frame) for frame in arrivals.gathered] if arrivals is not None else ()
        return self._parts.admission.admit(item, gathered)

    async def _call(self, work: Work, item: Item) -> Piece | None:
        try:
            sent = await self._attempts.make(work, self.request, None)
        except (HopFailedError, asyncio.CancelledError) as error:
            if await self._failed(work, error, item, ""):
                raise
            return None
        if sent.again is not None:
            await self._settle_again(work, sent, item, "")
            return None
        rest = sent.rest if type(sent) is Sent else None  # `isinstance` of a struct's class costs a call
        local, book = sent.local, self._book
        is_plain = rest is None and not item.stash and not sent.terminals
        if is_plain and (book.meets(work, sent) if sent.outputs else book.goes_on(work, local)):
            if self._is_heard:
                self._told.went_on(work, sent)
        else:
            effects = book.settle(work, sent, rest, item.stash)
            self._tell(work, sent, is_last=rest is None)
            if effects:
                self.carry_out(effects)
            if self._crew.is_over:
                return None
        if len(local) == 1:
            return local[0]
        self._queue(local, rest)
        return None

    async def _call_in_lane(self, work: Work, item: Item, entry: Entry) -> None:
        admission, keyed = self._parts.admission, work.node.keyed
        try:
            state = admission.load_state(keyed, entry.state)
        except Exception as error:  # noqa: BLE001 - the first state of a key is made by the user's class
            self._fail_beside(work, error, item, entry.lane)
            return
        try:
            sent = await self._attempts.make(work, self.request, state)
        except (HopFailedError, asyncio.CancelledError) as error:
            if await self._failed(work, error, item, entry.lane):
                raise
            return
        if sent.again is not None:
            await self._settle_again(work, sent, item, entry.lane)
            return
        try:
            saved = admission.save_state(keyed, state)
        except HeadraceError as error:
            node = work.node
            failure = Failure(
                FailureKind.INVALID_MESSAGE, FailureSource.USER_CODE, node.name, node.group, type(error).__name__
            )
            self.failures.append(failure)
            self._fail(HopFailedError(failure, work), error, item, entry.lane)
            return
        effects = self._book.settle_in_lane(work, sent, item, entry.lane, saved)
        self._tell(work, sent, is_last=not isinstance(sent, Sent) or sent.rest is None)
        self.carry_out(effects)

    async def _failed(self, work: Work, error: HopFailedError | asyncio.CancelledError, item: Item, lane: str) -> bool:
        """Settle a call that failed for good, or that its own node cancelled; True for a cancellation that goes on."""
        if isinstance(error, HopFailedError):
            await self._unless_cancelled(error.failure)
            self._fail(error, error.__cause__, item, lane)
            return False
        task = asyncio.current_task()
        is_from_outside = self._crew.is_ending or anyio.current_effective_deadline() == -inf
        if task is None or is_from_outside or self._crew.is_callers():
            return True
        task.uncancel()  # it must not end as a silent success
        cancelled = NodeCancelledError()
        failed = self._attempts.failed(work, cancelled)
        self.failures.append(failed.failure)
        self._fail(failed, cancelled, item, lane)
        return False

    async def _unless_cancelled(self, failure: Failure) -> None:
        """Go on with the cancellation that a node answered with a failure, where there was one."""
        self.failures.append(failure)
        if anyio.current_effective_deadline() == -inf:
            await checkpoint()
        if self._crew.is_left or self._crew.was_cancelled():
            raise asyncio.CancelledError

    def _tell(self, work: Work, sent: Dispatch, *, is_last: bool) -> None:
        if self._is_heard:
            if work.node.is_series:
                self._told.fanned_out(work, sent, is_last=is_last)
            if sent.outputs or sent.terminals:
                self._told.settled(self._book.run, work, sent)

    def _fail_beside(self, work: Work, error: Exception, item: Item, lane: str) -> None:
        """Fail a node by what is its own, but raised outside of its call."""
        failed = self._attempts.failed(work, error)
        self.failures.append(failed.failure)
        self._told.failed(work, failed.failure)
        self._fail(failed, error, item, lane)

    def _fail(self, failed: HopFailedError, cause: BaseException | None, item: Item, lane: str) -> None:
        was_open = self._book.is_open
        effects = self._book.fail(failed.work, ended(RunState.FAILED, failed.failure), item, lane)
        if was_open:
            self.cause = cause
        self.carry_out(effects)

    async def _settle_again(self, work: Work, sent: Dispatch, item: Item, lane: str) -> None:
        """Let a call be made once more, when its time or its signal has come."""
        if sent.failure is not None:
            await self._unless_cancelled(sent.failure)
        if self._crew.is_over:
            return
        if isinstance(sent.again, Suspend) and self._is_heard:
            self._told.suspended(work, sent.again)
        again = _again(work) if sent.failure is not None else work
        back = Item((as_frame(again),), item.ticket)
        until = until_of(sent.again)
        feeds = self._parts.feeds.of(work.node, work.headers.scope)
        output = (
            Park("", until, back, feeds) if isinstance(until, str) else Schedule("", delay_of(until), back, lane, feeds)
        )
        back_again = Dispatch(outputs=[output])
        if lane:
            self.carry_out(self._book.settle_in_lane(work, back_again, item, lane, None))
        else:
            self.carry_out(self._book.settle(work, back_again, None, item.stash))

    async def _page(self, page: Rest) -> None:
        """Send the next messages of a series."""
        try:
            sent = self._parts.dispatcher.page(page)
        except Exception as error:  # noqa: BLE001 - of a key function, or a loop that went round too often
            self._fail_beside(page.work, error, _PLAIN, "")
            return
        effects = self._book.settle_page(page, sent)
        if self._is_heard:
            self._told.page(page.work, sent, is_last=sent.rest is None)
            self._told.settled(self._book.run, page.work, sent)
        self.carry_out(effects)
        if not self._crew.is_over:
            self._queue(sent.local, sent.rest)

    def _queue(self, local: Sequence[Work], rest: Rest | None) -> None:
        """Have what a call led to be worked on; where that is nothing, it may have been the last that could go on."""
        self._crew.ready.extend(local)
        if rest is not None:
            self._crew.ready.append(rest)  # behind its page, so that a page of them is held
        elif not local and not self._waits:
            self._stop_where_all_waits()

    def _keep(self, delay_s: float, trace_id: str, what: Schedule | Alarm) -> None:
        if self._timers is None:
            self._timers = Timers(self._ring)
            self._crew.beside(self._timers.run)
        self._timers.add(delay_s, trace_id, what)

    def _ring(self, due: Due) -> None:
        self.resume(self._book.promote(due))
        if self._crew.is_over:
            raise StoppedError


def _resumed(work: Work, item: Item) -> Work:
    """Give a call that comes back what has come for it."""
    if len(item.frames) == 1:
        return work
    signals = {signal.slot: signal.body for signal in map(as_envelope, item.frames[1:])}
    return structs.replace(work, messages={**work.messages, **signals})


def _again(work: Work) -> Work:
    return structs.replace(work, headers=structs.replace(work.headers, attempt=work.headers.attempt + 1))
