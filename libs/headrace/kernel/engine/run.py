"""One run in one process, from its first phase to its last event. Failures are events; they do not come out of it."""

import math
from collections.abc import Callable
from typing import Any

import anyio

from headrace.errors import Failure, FailureKind, FailureSource, InvalidMessageError
from headrace.kernel.clock import Clock, random_bytes
from headrace.kernel.engine.book import Book
from headrace.kernel.engine.options import RunOptions
from headrace.kernel.engine.outlet import Outlet
from headrace.kernel.engine.parts import Parts
from headrace.kernel.engine.publisher import RunPublisher
from headrace.kernel.engine.steps import Steps
from headrace.kernel.engine.told import Told
from headrace.kernel.engine.uncoded import UncodedFraming, message_of
from headrace.kernel.inject import Injector
from headrace.kernel.journal import as_failure, classify
from headrace.kernel.lifecycle import lifecycle
from headrace.kernel.loop import loop_time
from headrace.kernel.phases import Phase, Phases
from headrace.kernel.sent_signals import seal_signal
from headrace.kernel.work import Headers
from headrace.ledger.terminal import EXPIRED, cancelled, ended, failure_of, raise_unless_completed
from headrace.ledger.values import RunState, Submission, Terminal
from headrace.wire.trace import trace_id

_MS = 1000
_ENTROPY_BYTES = 14


class Run:
    """One run of a plan.

    Args:
        message: What it starts from.
        clock: Events are dated by it, and deadlines told.
        outlet: Where its events go, beside its observers; None where nobody reads them.

    Raises:
        InvalidMessageError: The message or a signal is of another type than the plan takes, or has no key.
        UnknownSignalError: No node takes a signal of this name.
    """

    def __init__(
        self, parts: Parts, message: object, options: RunOptions, *, clock: Clock, outlet: Outlet | None = None
    ) -> None:
        self._parts = parts
        self._options = options
        self._clock = clock
        self._outlet = outlet
        self.trace_id = options.run_id or trace_id(0, random_bytes(_ENTROPY_BYTES))
        self._book = Book(parts.plan, parts.feeds, self._submission(message), meets=parts.meets)
        for name, signal in options.signals.items():
            self._book.signal(name, self._signal(name, signal))
        observers = (*parts.plan.observers, *options.observers)
        publisher = RunPublisher(observers, parts.plan.hooks, clock=clock, outlet=outlet)
        self._told = Told(parts.plan, self.trace_id, publisher)
        self._phases = Phases()
        # its time may cancel it, or somebody its start-up: else a scope is not worth what it costs
        has_scope = options.timeout_s is not None or (outlet is not None and parts.has_life)
        self._scope = anyio.CancelScope() if has_scope else None
        self._steps: Steps | None = None
        self._failures: list[Failure] = []
        self._ended_badly: list[Exception] = []
        self._terminal: Terminal | None = None
        self._cause: BaseException | None = None

    async def execute(self) -> None:
        """Run it to its end: start-up hooks, calls, shutdown hooks, which are called whatever happened.

        Cancelled from outside, it ends as cancelled, and the cancellation goes on.
        """
        self._phases.move(Phase.STARTUP)
        began_s = self._clock.monotonic()
        try:
            if self._scope is not None and self._options.timeout_s is not None:
                self._scope.deadline = anyio.current_time() + self._options.timeout_s
            if self._told.is_heard:
                self._told.started()
            if self._scope is None:
                await self._live()
            else:
                with self._scope:
                    await self._live()
        finally:
            try:
                self._finish(self._clock.monotonic() - began_s)
            finally:
                if self._outlet is not None:
                    self._outlet.close()

    def cancel(self) -> bool:
        """Start nothing further, and cancel what is under way; tells whether there was anything to cancel.

        A run that has its result keeps it, and what else is under way is cancelled.
        """
        if self._phases.now not in (Phase.INIT, Phase.STARTUP, Phase.EXECUTING):
            return False
        if self._book.is_open:
            self._end(cancelled())
        elif self._steps is not None and not self._steps.are_ending:
            self._steps.stop()
        else:
            return False
        self._told.publisher.takes_emissions = False
        if self._scope is not None:
            self._scope.cancel()
        return True

    def signal(self, name: str, message: object) -> bool:
        """Give it a signal; False where it has ended, or had it.

        Raises:
            UnknownSignalError: No node takes a signal of this name.
            InvalidMessageError: The message is of another type.
        """
        effects = self._book.signal(name, self._signal(name, message))
        if effects and self._steps is not None:
            self._steps.resume(effects)
        return effects is not None

    def result(self) -> Any:  # noqa: ANN401 - a user's message
        """Give what the run, which is over, came to; None for nothing.

        Raises:
            RunFailedError, RunCancelledError, RunExpiredError: It ended otherwise; a node's exception is the cause.
        """
        terminal = self._ended()
        if terminal.state is RunState.COMPLETED:
            return message_of(terminal)
        return raise_unless_completed(self.trace_id, terminal)

    @property
    def waiting_for(self) -> tuple[str, ...]:
        """The signals that it stopped to wait for."""
        return self._steps.waiting_for if self._steps is not None else ()

    @property
    def cause(self) -> BaseException | None:
        """The exception behind the failure that ended it."""
        return self._cause

    async def _live(self) -> None:
        phases = self._phases
        try:
            if self._parts.has_life:
                async with lifecycle(self._parts.plan, self._ended_badly.append) as injector:
                    await self._execute(injector)
            else:
                await self._execute(None)
        except BaseException as raised:  # of a hook, or of what a hook raises beside errors: nodes fail otherwise
            error = as_failure(raised)
            if error is None:
                raise
            self._fail_beside(FailureKind.STARTUP if phases.now is Phase.STARTUP else FailureKind.SHUTDOWN, error)
        finally:
            if phases.now is Phase.STARTUP:
                phases.move(Phase.SHUTDOWN)

    def _fail_beside(self, kind: FailureKind, error: Exception) -> None:
        """Fail the run by what is no node's: a hook's error, or the container's."""
        shows_detail, classifiers = self._options.shows_detail, self._parts.plan.classifiers
        failure = classify(error, node="", group="", shows_detail=shows_detail, classifiers=classifiers)
        self._fail(Failure(kind, failure.source, error=failure.error, detail=failure.detail), error)

    async def _execute(self, injector: Injector | None) -> None:
        self._phases.move(Phase.EXECUTING)
        try:
            if self._terminal is None:  # nobody has cancelled it before it began
                await self._work(injector)
        except Exception as error:  # noqa: BLE001 - a fault of this library: the run ends with it
            self._fail(Failure(FailureKind.STEP, FailureSource.FRAMEWORK, error=type(error).__name__), error)
        finally:
            self._phases.move(Phase.SHUTDOWN)

    async def _work(self, injector: Injector | None) -> None:
        is_steered = self._outlet is not None and (self._scope is not None or self._parts.takes_signals)
        steps = self._steps = Steps(
            self._parts,
            self._book,
            self._told,
            self._options,
            self._outlet,
            is_steered=is_steered,
            is_late=self._lateness() if self._options.timeout_s is not None else None,
        )
        try:
            if injector is None or not self._parts.injects:
                await steps.work()
            else:
                async with injector.hop(self._ended_badly.append) as steps.request:
                    await steps.work()
        finally:
            self._told.publisher.takes_emissions = False
            self._terminal = self._terminal or steps.terminal
            self._failures[:0] = steps.failures
            self._cause = steps.cause or self._cause

    def _lateness(self) -> Callable[[], bool]:
        """Give what tells whether its time is up, and cancels it then: nothing else does while no call waits."""
        now, scope = loop_time(), self._scope

        def is_late() -> bool:
            if scope is None or now() < scope.deadline:
                return False
            scope.cancel()
            return True

        return is_late

    def _fail(self, failure: Failure, error: BaseException) -> None:
        """Fail the run, unless it has failed before."""
        self._failures.append(failure)
        if self._terminal is None or self._terminal.state is RunState.COMPLETED:
            self._cause = error
            self._terminal = ended(RunState.FAILED, failure)

    def _end(self, terminal: Terminal) -> None:
        self._book.end(terminal)
        self._terminal = self._terminal or terminal
        if self._steps is not None:
            self._steps.stop()

    def _finish(self, duration_s: float) -> None:
        """Say how it ended. Where nothing in it has ended it, its time is up, or somebody cancelled it."""
        if self._terminal is None:
            is_out_of_time = self._scope is not None and self._scope.cancelled_caught
            self._end(EXPIRED if is_out_of_time else cancelled())
        for error in self._ended_badly:
            self._fail_beside(FailureKind.SHUTDOWN, error)
        terminal = self._ended()
        if self._told.is_heard:
            if terminal.state is RunState.EXPIRED:
                self._told.timed_out()
            elif terminal.state is RunState.CANCELLED:
                self._told.cancelled()
            has_result = terminal.state is RunState.COMPLETED
            failure = None if has_result else failure_of(terminal)
            if terminal.state is RunState.FAILED and failure is not None and failure not in self._failures:
                self._failures.append(failure)  # of a join: no call has failed
            result = message_of(terminal) if has_result else None
            self._told.finished(terminal.state, duration_s, result, failure, self._failures)
        self._phases.move(Phase.TERMINAL)

    def _ended(self) -> Terminal:
        if self._terminal is None:
            raise RuntimeError(f"run '{self.trace_id}' has not ended")
        return self._terminal

    def _submission(self, message: object) -> Submission:
        plan, timeout_s = self._parts.plan, self._options.timeout_s
        codec = plan.codecs[plan.entry_type]
        if not isinstance(message, codec.message_type):
            raise InvalidMessageError(codec.name, f"it is a {type(message).__name__}")
        tickets = self._parts.tickets(message)
        headers = Headers(
            id=self.trace_id,
            trace_id=self.trace_id,
            pipe=plan.pipe,
            node=plan.entry[0].node,  # where there are more, the dispatcher gives each its own
            slot="",
            type=plan.entry_type,
            body=b"",
            plan=plan.version,
            deadline_ms=int((self._clock.now() + timeout_s) * _MS) if timeout_s not in (None, math.inf) else 0,
            tickets=tuple(lane for lane, _ in tickets),
        )
        outputs = tuple(self._parts.dispatcher.start(headers, message))
        return Submission(self.trace_id, plan.pipe, plan.version, outputs, tickets)

    def _signal(self, name: str, message: object) -> bytes:
        return seal_signal(self._parts.plan, UncodedFraming(), self.trace_id, name, message).frame
