"""The `Context` that a node may ask for: what it may know of its run."""

import asyncio
from dataclasses import dataclass

import structlog

from headrace.graph.options import ContextMarker
from headrace.kernel.events import Emitted
from headrace.kernel.publisher import Publisher


@dataclass(frozen=True, slots=True, kw_only=True)
class Context(ContextMarker):
    """What a node may know of its run.

    Attributes:
        trace_id: The run.
        run_id: The run whose events this belongs to; the trace_id, unless a sub-pipeline runs for another.
        invocation_id: This call's envelope; the same again where the call is repeated.
        attempt: 1, and one more each time this call failed.
        deadline: Unix time in seconds after which the work is not wanted; None for none.
    """

    trace_id: str
    run_id: str
    invocation_id: str
    pipe: str
    node: str
    group: str
    attempt: int
    deadline: float | None
    publisher: Publisher
    loop: asyncio.AbstractEventLoop

    @property
    def logger(self) -> structlog.typing.FilteringBoundLogger:
        """A logger bound to trace_id, pipe, node and group."""
        logger: structlog.typing.FilteringBoundLogger = structlog.get_logger("headrace.node").bind(
            trace_id=self.trace_id, pipe=self.pipe, node=self.node, group=self.group
        )
        return logger

    def emit(self, value: object) -> None:
        """Tell observers of progress, from any thread; costs nothing where nobody observes."""
        if self.publisher.is_heard:
            event = Emitted(trace_id=self.trace_id, node=self.node, group=self.group, value=value)
            self.publisher.publish_on(self.loop, event)
