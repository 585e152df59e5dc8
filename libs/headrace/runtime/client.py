"""The client of a pipe: starts runs, waits for their answers, looks them up.

The gateway, the command line and tests all go through it, on every bus.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from typing import Any

from headrace.bus.protocol import Bus
from headrace.errors import (
    BusFullError,
    BusUnavailableError,
    EnvelopeTooLargeError,
    Failure,
    FailureKind,
    FailureSource,
    InvalidMessageError,
    UnknownRunError,
)
from headrace.graph.plan import ExecutionPlan
from headrace.kernel.clock import Clock
from headrace.kernel.sent_signals import seal_signal
from headrace.ledger.terminal import cancelled, ended
from headrace.ledger.values import Letter, RunState, RunView, Submission, Terminal
from headrace.observe.traces import Traces
from headrace.reply.waiters import Waiters
from headrace.runtime.followers import Followers
from headrace.runtime.following import Event, Following
from headrace.runtime.redrive import Redrive
from headrace.runtime.results import Results
from headrace.runtime.starts import Starts
from headrace.runtime.submissions import PLAIN, Options, Submissions
from headrace.wire.envelope import Framing
from headrace.wire.trace import is_trace_id

_RETRY_S = 0.2  # between tries while the bus is away
DEFAULT_TIMEOUT_S = 30.0


class Client:
    """Starts and watches the runs of one pipe.

    Args:
        waiters: The process's, which reads its inbox.
        followers: The process's, which reads events.
        framing: Seals entry messages.
        partitions: As the bus's.
        events_sample: The share of runs, 0 to 1, that keep their events without being asked to.
        traces: Told of each run that is started.

    Raises:
        SettingsError: There are several partitions, and a key's runs would be spread over them.
    """

    def __init__(  # noqa: PLR0913 - the parts of one machine, all but four by name
        self,
        plan: ExecutionPlan,
        bus: Bus,
        waiters: Waiters,
        followers: Followers,
        *,
        framing: Framing,
        partitions: int = 1,
        clock: Clock | None = None,
        events_sample: float = 0.0,
        traces: Traces | None = None,
    ) -> None:
        self.plan = plan
        self._bus = bus
        self._waiters = waiters
        self._framing = framing
        self._submissions = Submissions(plan, framing, partitions=partitions, clock=clock, events_sample=events_sample)
        self._starts = Starts(bus, self._submissions, traces)
        self._redrive = Redrive(plan, framing)
        self._results = Results(plan)
        self.following = Following(bus, followers, self._results)

    async def run(self, message: object, *, timeout_s: float = DEFAULT_TIMEOUT_S, options: Options = PLAIN) -> Any:  # noqa: ANN401 - the result's type is the pipe's
        """Start a run and wait for its result.

        Args:
            timeout_s: Seconds to wait; the run itself goes on after them.

        Returns:
            The result message; None where the run completed without one.

        Raises:
            RunFailedError, RunCancelledError, RunExpiredError: The run ended otherwise.
            WaitTimeoutError: The wait ran out.
            UnknownRunError: The bus lost the run while it was waited for.
            BusUnavailableError: The bus is away.
            TooManyRunsError, KeyReusedError: The options do not allow it; nothing was started.
        """
        trace, terminal = await self.ask(message, timeout_s=timeout_s, options=options)
        return self.result(trace, terminal)

    async def ask(
        self, message: object, *, timeout_s: float = DEFAULT_TIMEOUT_S, options: Options = PLAIN
    ) -> tuple[str, Terminal]:
        """Start a run and wait for its terminal; gives its trace_id too. Raises as `run`, but for how the run ended."""
        submission = self._submissions.make(message, options, self._waiters.inbox)
        async with self._waiters.expect(submission.trace_id) as future:
            with self._waiters.starting([submission.trace_id]):
                there = await self._starts.start(submission, options)
            if there is not None and there.terminal is not None:
                return submission.trace_id, there.terminal
            return submission.trace_id, await self._waiters.result(submission.trace_id, future, timeout_s)

    async def submit(self, message: object, options: Options = PLAIN) -> str:
        """Start a run without waiting; gives its trace_id.

        Raises:
            BusUnavailableError: The bus is away; the run may or may not have started.
            TooManyRunsError, KeyReusedError: The options do not allow it; nothing was started.
        """
        submission = self._submissions.make(message, options, "")
        await self._starts.start(submission, options)
        return submission.trace_id

    async def ask_all(
        self, messages: Sequence[object], options: Options = PLAIN, *, patience_s: float = 0.0
    ) -> list[tuple[str, asyncio.Future[Terminal]]]:
        """Start many runs in one round trip, in order.

        Args:
            messages: A terminal among them stands for one that could not be read.
            patience_s: Seconds to keep asking while the bus is away or full; the same runs, so none starts twice.

        Returns:
            For each, its trace_id and what its terminal event will resolve. Cancelling that future ends the wait. One
            that cannot be sent spoils no other: it has failed already, with an empty trace_id.

        Raises:
            BusUnavailableError: The bus is away; none is waited for, some may have started.
            BusFullError: The bus takes no new runs.
        """
        prepared = [self._prepared(message, options) for message in messages]
        submissions = [one for one in prepared if isinstance(one, Submission)]
        expected = [
            (one.trace_id, self._waiters.register(one.trace_id)) if isinstance(one, Submission) else ("", _known(one))
            for one in prepared
        ]
        try:
            with self._waiters.starting(one.trace_id for one in submissions):
                await self._submit(submissions, patience_s)
        except BaseException:
            self.leave(expected)
            raise
        return expected

    def leave(self, asked: Iterable[tuple[str, asyncio.Future[Terminal]]]) -> None:
        """Wait no longer for what `ask_all` gave; the runs go on."""
        for trace, future in asked:
            self._waiters.discard(trace, future)

    async def wait(self, trace_id: str, timeout_s: float = DEFAULT_TIMEOUT_S) -> Terminal:
        """Wait for a run by its trace_id.

        Raises:
            UnknownRunError: No run has this trace_id.
            WaitTimeoutError: The wait ran out.
        """
        return await self._waiters.wait(trace_id, timeout_s)

    async def events(self, trace_id: str, *, after: int = 0) -> AsyncGenerator[Event, None]:
        """Follow a run: give its events as they come, to its end, or until this process stops.

        Args:
            after: The `seq` of the last event seen; 0 for all from the start.

        Raises:
            UnknownRunError: No run has this trace_id (any more).
            EventsNotKeptError: The run was started without `Options.keeps_events`.
        """
        _require_trace_id(trace_id)
        view = await self.following.view(trace_id)
        async with aclosing(self.following.batches(view, after)) as batches:
            async for batch in batches:
                for event in batch:
                    yield event

    async def view(self, trace_id: str) -> RunView | None:
        """Look a run up; None where it is unknown or forgotten."""
        return await self._bus.view(trace_id)

    async def cancel(self, trace_id: str) -> bool:
        """End a run; once this has answered, no further node of it starts (I8).

        Returns:
            Whether this ended it; False where it had ended.

        Raises:
            UnknownRunError: No run has this trace_id.
        """
        _require_trace_id(trace_id)
        if await self._bus.end(trace_id, cancelled()):
            return True
        await self._require_known(trace_id)
        return False

    async def signal(self, trace_id: str, name: str, message: object) -> bool:
        """Give a run a signal: what it has suspended until then goes on, now and whenever it comes to that later.

        Returns:
            Whether it was taken; False where the run has ended, or had this signal already: the first one stays.

        Raises:
            UnknownSignalError: No node of the pipe waits for a signal of this name.
            InvalidMessageError: The message does not fit the signal's type.
            UnknownRunError: No run has this trace_id.
        """
        _require_trace_id(trace_id)
        sent = seal_signal(self.plan, self._framing, trace_id, name, message)
        if await self._bus.signal(trace_id, name, sent.frame, sent.groups):
            return True
        await self._require_known(trace_id)
        return False

    async def redrive(self, group: str, letter: Letter) -> str | None:
        """Start the run that does the work of a dead letter again, and take the letter out, as one step.

        Args:
            group: Where the letter lies, as the plan names it.

        Returns:
            The new run's trace_id; None where the letter was gone.

        Raises:
            NotRedrivableError: The letter does not hold what a run could start from.
        """
        stream = self.plan.stream(group)
        submission = self._redrive.make(stream, letter)
        return submission.trace_id if await self._bus.redrive(stream, letter, submission) else None

    def result(self, trace_id: str, terminal: Terminal) -> Any:  # noqa: ANN401 - the result's type is the pipe's
        """Decode a run's result; None for an empty one. Raises as `run`, for how the run ended.

        Raises:
            ResultUnreadableError: The result does not fit this process's plan.
        """
        return self._results.message(trace_id, terminal)

    def result_json(self, trace_id: str, terminal: Terminal) -> bytes | None:
        """Give a run's result as JSON; else as `result`."""
        return self._results.json(trace_id, terminal)

    async def _require_known(self, trace_id: str) -> None:
        if await self._bus.view(trace_id) is None:
            raise UnknownRunError(trace_id)

    async def _submit(self, submissions: list[Submission], patience_s: float) -> None:
        give_up_s = asyncio.get_running_loop().time() + patience_s
        while True:
            try:
                await self._bus.submit(submissions)
            except (BusUnavailableError, BusFullError):
                if asyncio.get_running_loop().time() >= give_up_s:
                    raise
                await asyncio.sleep(_RETRY_S)
            else:
                return

    def _prepared(self, message: object, options: Options) -> Submission | Terminal:
        if isinstance(message, Terminal):
            return message
        try:
            return self._submissions.make(message, options, self._waiters.inbox)
        except (InvalidMessageError, EnvelopeTooLargeError) as error:
            return unreadable(str(error))


def unreadable(why: str) -> Terminal:
    """Make the terminal that stands for a message which could not be read or sent."""
    return ended(RunState.FAILED, Failure(FailureKind.INVALID_MESSAGE, FailureSource.USER_CODE, detail=why))


def _require_trace_id(text: str) -> None:
    if not is_trace_id(text):
        raise UnknownRunError(text)


def _known(terminal: Terminal) -> asyncio.Future[Terminal]:
    future: asyncio.Future[Terminal] = asyncio.get_running_loop().create_future()
    future.set_result(terminal)
    return future
