"""A rehearsal: one run in the in-process engine, on virtual time, with stand-ins; and what there is to assert of it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from anyio import to_thread
from msgspec import Struct

from headrace.errors import Failure
from headrace.graph.pipe import Pipe
from headrace.kernel.engine.engine import Engine
from headrace.kernel.engine.options import RunOptions
from headrace.kernel.events import Emitted, KernelEvent, NodeFailed, NodeStarted, RunFinished
from headrace.ledger.values import RunState
from headrace.testing.stand_ins import with_stand_ins
from headrace.testing.virtual_time import START_S, VirtualClock, VirtualLoop

LONGEST_S = 86_400.0  # of virtual time: a run that waits for ever expires at once
Event = TypeVar("Event", bound=KernelEvent)


class Rehearsal(Struct, frozen=True):
    """How a run went.

    Attributes:
        events: All of them, in order.
    """

    events: tuple[KernelEvent, ...]

    @property
    def finish(self) -> RunFinished:
        """The last event."""
        last = self.events[-1]
        if not isinstance(last, RunFinished):
            raise TypeError(f"the run's last event is {type(last).__name__}")
        return last

    @property
    def status(self) -> RunState:
        """How it ended."""
        return self.finish.status

    @property
    def result(self) -> Any:  # noqa: ANN401 - a user's message
        """What it completed with; None for nothing."""
        return self.finish.result

    @property
    def failure(self) -> Failure | None:
        """Why it did not complete."""
        return self.finish.failure

    @property
    def duration_s(self) -> float:
        """Seconds that it took, of virtual time."""
        return self.finish.duration_s

    @property
    def emitted(self) -> list[Any]:
        """What nodes told by `ctx.emit`, in order."""
        return [event.value for event in self.of(Emitted)]

    def of(self, kind: type[Event], node: str | None = None) -> list[Event]:
        """Give the events of a kind, of one node or of all."""
        return [event for event in self.events if isinstance(event, kind) and node in (None, event.node)]

    def calls(self, node: str) -> int:
        """Count the calls of a node, repetitions included."""
        return len(self.of(NodeStarted, node))

    def failed(self, node: str) -> int:
        """Count those that failed."""
        return len(self.of(NodeFailed, node))


class Setting(Struct, frozen=True, kw_only=True):
    """What a rehearsal is given.

    Attributes:
        stand_ins: As `with_stand_ins`'.
        providers: dishka providers, whose instances go before those of the pipe's.
        signals: What calls that suspend themselves find there already, by name.
        timeout_s: Seconds, of virtual time, until the run expires.
        start: The Unix time that it starts at, in seconds.
    """

    stand_ins: Mapping[str, Any] = {}
    providers: Sequence[Any] = ()
    signals: Mapping[str, Any] = {}
    timeout_s: float = LONGEST_S
    start: float = START_S


def rehearse(pipe: Pipe, message: object, setting: Setting) -> Rehearsal:
    """Run a message in an event loop on virtual time, blocking.

    Raises:
        ValueError: A node that is to be replaced is not there.
    """
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(_rehearse(pipe, message, setting))


async def _rehearse(pipe: Pipe, message: object, setting: Setting) -> Rehearsal:
    loop = asyncio.get_running_loop()
    if not isinstance(loop, VirtualLoop):
        raise TypeError("a rehearsal needs an event loop on virtual time")
    loop.heed(to_thread.current_default_thread_limiter())
    plan = with_stand_ins(pipe.compile(), setting.stand_ins)
    plan = replace(plan, providers=(*plan.providers, *setting.providers))
    options = RunOptions(timeout_s=setting.timeout_s, signals=setting.signals, shows_detail=True)
    engine = Engine(plan, clock=VirtualClock(loop, setting.start))
    return Rehearsal(tuple([event async for event in engine.events(message, options)]))
