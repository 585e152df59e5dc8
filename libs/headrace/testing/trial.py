"""A trial: messages through a plan over a bus, all of it in this event loop, until nothing of them is under way.

On the memory bus time is the trial's own: where nothing moves, it goes on to the next thing that is due, so back-offs
and leases take no time. A worker can be made to crash once; another then takes over what it held.
"""

import asyncio
import math
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from msgspec import Struct

from headrace.bus.memory.bus import MemoryBus
from headrace.bus.protocol import Bus
from headrace.errors import RunError
from headrace.graph.plan import ExecutionPlan
from headrace.ledger.values import Terminal
from headrace.runtime.client import Client
from headrace.runtime.compose import beside, connected, consuming, coordinating
from headrace.runtime.consumer import ConsumerOptions
from headrace.testing.clock import ManualClock
from headrace.testing.edge import Edge
from headrace.testing.record import Crash, Record
from headrace.wire.envelope import Framing

DEFAULT_TIMEOUT_S = 10.0
_LEASE_S = 0.03  # by the trial's clock; by the machine's, three times what it takes until a crash is noticed
_POLL_S = 0.001
_FIRST_STEP_S = 0.01
_GROWTH = 1.1  # so much later than it is due a thing may come, by the trial's clock
_LONGEST_S = 10 * 365 * 86_400.0
_PROMOTE_LIMIT = 256


class UnansweredError(AssertionError):
    """A run had no answer in time, or has none and nothing moves that could give it one."""


class Trial(Struct, frozen=True):
    """How a trial ended.

    Attributes:
        answers: For each message its result, None for an empty one, or the `RunError` that says how its run ended.
    """

    answers: tuple[Any, ...]
    record: Record


class Stage(Struct, frozen=True):
    """Where a trial takes place.

    Attributes:
        processes: The groups of each process.
        clock: The bus's; None where that is the machine's own.
    """

    plan: ExecutionPlan
    bus: Bus
    processes: tuple[tuple[str, ...], ...]
    clock: ManualClock | None = None


def in_memory(plan: ExecutionPlan, processes: tuple[tuple[str, ...], ...]) -> Stage:
    """Set up the memory profile."""
    clock = ManualClock()
    return Stage(plan, MemoryBus(clock=clock, retention_s=math.inf), processes, clock)


async def try_out(
    stage: Stage, messages: Sequence[object], *, crash: Crash | None = None, timeout_s: float = DEFAULT_TIMEOUT_S
) -> Trial:
    """Run messages, started together and in order, until nothing of them is under way.

    Args:
        crash: Where a worker crashes; only on the memory bus.
        timeout_s: Seconds for all of it, by the machine's clock.

    Raises:
        UnansweredError: A run has no answer.
    """
    record = Record(crash=crash)
    try:
        async with _deployed(stage, record) as client:
            asked = await client.ask_all(messages)
            try:
                async with asyncio.timeout(timeout_s):
                    await _rest(stage, record)
                    await _ended(stage, record)
                    terminals = [await future for _, future in asked]
            except TimeoutError:
                raise _unanswered(stage, asked, f"within {timeout_s:g} s") from None
            answers = tuple(_answer(client, trace, one) for (trace, _), one in zip(asked, terminals, strict=True))
    except ExceptionGroup as group:  # a part that failed, such as a start-up hook: its error is what the test wants
        raise _only(group) from None
    return Trial(answers, record)


@asynccontextmanager
async def _deployed(stage: Stage, record: Record) -> AsyncGenerator[Client]:
    front = Edge(stage.bus, stage.plan, record)
    processes = [_Process(stage, record, groups) for groups in stage.processes]
    async with (
        beside(stage.bus, *processes),
        coordinating(front),
        connected(stage.plan, front, Framing()) as client,
    ):
        try:
            yield client
        finally:
            for process in processes:  # all at once: a read under way on Redis must come back by itself
                process.stop()
            front.close()
            await _wake(stage.bus)


class _Process:
    """The place of one process: when the one that runs there has crashed, another takes it."""

    def __init__(self, stage: Stage, record: Record, groups: tuple[str, ...]) -> None:
        self._stage = stage
        self._record = record
        self._groups = groups
        self._is_stopping = False
        self._edge = Edge(stage.bus, stage.plan, record)
        # a trial ends when nothing is under way, and a process that died finishes nothing: there is nothing to drain
        calm, crashing = ConsumerOptions(drain_s=0), ConsumerOptions(drain_s=0, lease_s=_LEASE_S)
        self._options = calm if record.crash is None else crashing

    async def run(self) -> None:
        stage = self._stage
        while not self._is_stopping:
            edge = self._edge
            observers = (edge.observe,)
            async with consuming(stage.plan, edge, Framing(), self._groups, options=self._options, observers=observers):
                await edge.ended.wait()
                await _wake(stage.bus)
            if edge.is_dead and stage.clock is not None:
                stage.clock.advance(_LEASE_S)
                self._edge = Edge(stage.bus, stage.plan, self._record)

    def stop(self) -> None:
        self._is_stopping = True
        self._edge.close()


async def _rest(stage: Stage, record: Record) -> None:
    """Wait until nothing of the runs is under way, or nothing moves whatever time it is."""
    streams = [stage.plan.stream(group) for group in stage.plan.groups]
    while await _in_flight(stage.bus, record):
        if stage.clock is not None and not await _is_moved(stage.bus, stage.clock, streams):
            return
        await asyncio.sleep(_POLL_S)


async def _is_moved(bus: Bus, clock: ManualClock, streams: list[str]) -> bool:
    """Tell whether something is under way; where nothing is, let time pass until something is due, and promote that."""
    if sum([await bus.backlog(stream) for stream in streams]):
        return True
    step_s, left_s = _FIRST_STEP_S, _LONGEST_S
    while left_s > 0:
        if sum([await bus.promote(stream, limit=_PROMOTE_LIMIT) for stream in streams]):
            return True
        clock.advance(step_s)
        left_s -= step_s
        step_s *= _GROWTH
    return False


async def _in_flight(bus: Bus, record: Record) -> int:
    views = [await bus.view(trace_id) for trace_id in record.trace_ids]
    return sum(view.in_flight for view in views if view is not None)


async def _ended(stage: Stage, record: Record) -> None:
    """See that every run has ended; its answer is then on its way."""
    for number, trace_id in enumerate(record.trace_ids, 1):
        view = await stage.bus.view(trace_id)
        if view is not None and view.terminal is None:
            raise UnansweredError(
                f"pipe '{stage.plan.pipe}' gives no answer to message {number}: nothing of its run moves any more"
            )


def _answer(client: Client, trace_id: str, terminal: Terminal) -> Any:  # noqa: ANN401 - the result's type is the pipe's
    try:
        return client.result(trace_id, terminal)
    except RunError as error:
        return error


def _unanswered(stage: Stage, asked: Sequence[tuple[str, asyncio.Future[Terminal]]], when: str) -> UnansweredError:
    late = [str(number) for number, (_, future) in enumerate(asked, 1) if not future.done()]
    which = f"gives no answer to message {', '.join(late)}" if late else "has answered, but still works,"
    return UnansweredError(f"pipe '{stage.plan.pipe}' {which} {when}")


async def _wake(bus: Bus) -> None:
    """Wake whoever waits for something to come, where that costs nothing."""
    if isinstance(bus, MemoryBus):
        await bus.aclose()


def _only(group: ExceptionGroup[Exception]) -> Exception:
    """Take a single error out of its groups."""
    first, *others = group.exceptions
    match first:
        case _ if others:
            return group
        case ExceptionGroup():
            return _only(first)
        case error:
            return error
