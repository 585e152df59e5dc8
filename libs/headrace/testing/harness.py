"""What a test of a pipe holds: it runs the pipe in memory, crashes it, and compares it with Redis."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

from headrace.bus.protocol import Bus
from headrace.errors import RunError
from headrace.graph.pipe import Pipe
from headrace.graph.placement import Placement
from headrace.kernel.events import KernelEvent
from headrace.ledger.dead_letter import DeadLetter
from headrace.testing.crashes import survives
from headrace.testing.differences import Compare, DifferenceError, whole
from headrace.testing.parity import parity
from headrace.testing.record import Crash, CrashPoint
from headrace.testing.rehearsal import LONGEST_S, Rehearsal, Setting, rehearse
from headrace.testing.trial import DEFAULT_TIMEOUT_S, UnansweredError, in_memory, try_out
from headrace.testing.virtual_time import START_S

T = TypeVar("T")
OpenBus = Callable[[str | None], AbstractAsyncContextManager[Bus]]


class Harness:
    """Tries pipes out. Every call runs a deployment of its own: nothing is kept from one to the next.

    Args:
        open_bus: Opens an empty bus for `parity`, given the address that it was given.

    Attributes:
        events: Kernel events of all `run` and `run_all` so far.
        dead_letters: What they gave up on.
    """

    def __init__(self, open_bus: OpenBus) -> None:
        self._open_bus = open_bus
        self.events: list[KernelEvent] = []
        self.dead_letters: list[DeadLetter] = []

    async def run(self, pipe: Pipe, message: object, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> Any:  # noqa: ANN401 - the result's type is the pipe's
        """Run one message; gives its result, None for an empty one. Back-offs take no time.

        Raises:
            RunFailedError, RunCancelledError, RunExpiredError: The run ended otherwise.
            UnansweredError: There is no answer.
        """
        (answer,) = await self.run_all(pipe, (message,), timeout_s=timeout_s)
        if isinstance(answer, RunError):
            raise answer
        return answer

    async def run_all(
        self, pipe: Pipe, messages: Sequence[object], *, timeout_s: float = DEFAULT_TIMEOUT_S
    ) -> list[Any]:
        """Run messages, started together and in order; gives a result each, or the `RunError` of a failed run.

        Raises:
            UnansweredError: One has no answer.
        """
        plan = pipe.compile()
        trial = await try_out(in_memory(plan, (tuple(plan.groups),)), messages, timeout_s=timeout_s)
        self.events.extend(trial.record.events)
        self.dead_letters.extend(trial.record.dead_letters)
        return list(trial.answers)

    async def rehearse(  # noqa: PLR0913 - all that a run may be given in place of the real
        self,
        pipe: Pipe,
        message: object,
        *,
        replace: Mapping[str, Any] | None = None,
        providers: Sequence[Any] = (),
        signals: Mapping[str, Any] | None = None,
        timeout_s: float = LONGEST_S,
        start: float = START_S,
    ) -> Rehearsal:
        """Run one message in the in-process engine, on virtual time: sleeps, time-outs and back-offs take none.

        It runs in a thread with an event loop of its own. A failed run is not raised: `Rehearsal.failure` says why.

        Args:
            replace: By node, what stands in for it: a function that is given those of the node's parameters that it
                has, by name; or a message, or a list of them, to return; or an exception, or its class, to raise.
            providers: dishka providers, whose instances go before those of the pipe's.
            signals: What calls that suspend themselves find there already, by name.
            timeout_s: Seconds, of virtual time, until the run expires.
            start: The Unix time that it starts at, in seconds.

        Raises:
            ValueError: A node that is to be replaced is not there.
        """
        setting = Setting(
            stand_ins=replace or {}, providers=providers, signals=signals or {}, timeout_s=timeout_s, start=start
        )
        rehearsal = await asyncio.to_thread(rehearse, pipe, message, setting)
        self.events.extend(rehearsal.events)
        return rehearsal

    async def survives(
        self,
        pipe: Pipe,
        *messages: object,
        placement: Placement | None = None,
        points: Iterable[CrashPoint] = tuple(CrashPoint),
        compare: Compare = whole,
        reset: Callable[[], object] | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> tuple[Crash, ...]:
        """Assert that no crash changes anything; as `crashes.survives`."""
        __tracebackhide__ = True
        return await survives(
            pipe,
            messages,
            placement=placement,
            points=points,
            compare=compare,
            reset=reset,
            timeout_s=timeout_s,
        )

    async def parity(
        self,
        pipe: Pipe,
        messages: Sequence[object],
        *,
        redis_url: str | None = None,
        placement: Placement | None = None,
        compare: Compare = whole,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> None:
        """Assert that Redis gives what memory gives; as `parity.parity`, in a namespace of its own.

        Args:
            redis_url: Where Redis is; the one that pytest was told where it is left out.
        """
        __tracebackhide__ = True
        async with self._open_bus(redis_url) as bus:
            await parity(pipe, messages, bus, placement=placement, compare=compare, timeout_s=timeout_s)


class SyncHarness:
    """A `Harness` for tests that are not asynchronous: the same, blocking."""

    def __init__(self, harness: Harness) -> None:
        self._harness = harness
        self.events = harness.events
        self.dead_letters = harness.dead_letters

    def run(self, pipe: Pipe, message: object, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> Any:  # noqa: ANN401 - as Harness.run
        """As `Harness.run`."""
        return _blocking(self._harness.run(pipe, message, timeout_s=timeout_s))

    def run_all(self, pipe: Pipe, messages: Sequence[object], *, timeout_s: float = DEFAULT_TIMEOUT_S) -> list[Any]:
        """As `Harness.run_all`."""
        return _blocking(self._harness.run_all(pipe, messages, timeout_s=timeout_s))

    def rehearse(  # noqa: PLR0913 - as Harness.rehearse
        self,
        pipe: Pipe,
        message: object,
        *,
        replace: Mapping[str, Any] | None = None,
        providers: Sequence[Any] = (),
        signals: Mapping[str, Any] | None = None,
        timeout_s: float = LONGEST_S,
        start: float = START_S,
    ) -> Rehearsal:
        """As `Harness.rehearse`."""
        __tracebackhide__ = True
        return _blocking(
            self._harness.rehearse(
                pipe,
                message,
                replace=replace,
                providers=providers,
                signals=signals,
                timeout_s=timeout_s,
                start=start,
            )
        )

    def survives(
        self,
        pipe: Pipe,
        *messages: object,
        placement: Placement | None = None,
        points: Iterable[CrashPoint] = tuple(CrashPoint),
        compare: Compare = whole,
        reset: Callable[[], object] | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> tuple[Crash, ...]:
        """As `Harness.survives`."""
        __tracebackhide__ = True
        return _blocking(
            self._harness.survives(
                pipe,
                *messages,
                placement=placement,
                points=points,
                compare=compare,
                reset=reset,
                timeout_s=timeout_s,
            )
        )

    def parity(
        self,
        pipe: Pipe,
        messages: Sequence[object],
        *,
        redis_url: str | None = None,
        placement: Placement | None = None,
        compare: Compare = whole,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> None:
        """As `Harness.parity`."""
        __tracebackhide__ = True
        _blocking(
            self._harness.parity(
                pipe, messages, redis_url=redis_url, placement=placement, compare=compare, timeout_s=timeout_s
            )
        )


def _blocking(trial: Coroutine[Any, Any, T]) -> T:
    __tracebackhide__ = True
    try:
        return asyncio.run(trial)
    except (DifferenceError, UnansweredError) as error:  # its text says all; the traceback would be of asyncio
        raise error.with_traceback(None) from None
