"""The `Context` that a node may ask for: what it may know of its run."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar, overload

import structlog

from headrace.graph.options import ContextMarker
from headrace.kernel.events import Origin
from headrace.kernel.home import Home
from headrace.kernel.once import once
from headrace.kernel.publisher import Publisher
from headrace.kernel.store import RunStore

T = TypeVar("T")


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
    store: RunStore
    home: Home
    origin: Origin | None

    @property
    def logger(self) -> structlog.typing.FilteringBoundLogger:
        """A logger bound to trace_id, pipe, node and group."""
        logger: structlog.typing.FilteringBoundLogger = structlog.get_logger("headrace.node").bind(
            trace_id=self.trace_id, pipe=self.pipe, node=self.node, group=self.group
        )
        return logger

    def emit(self, value: object) -> None:
        """Tell observers of progress, from any thread; costs nothing where nobody observes."""
        if self.origin is None:
            return
        if self.home.is_here():
            self._tell(value)
        else:
            self.home.post(self._tell, value)

    @overload
    def once(self, name: str, fn: Callable[[], Any]) -> Coroutine[Any, Any, Any]: ...

    @overload
    def once(self, name: str, fn: Callable[[], Any], *, type: type[T]) -> Coroutine[Any, Any, T]: ...

    def once(self, name: str, fn: Callable[[], Any], *, type: Any = Any) -> Coroutine[Any, Any, Any]:  # noqa: A002 - as msgspec calls it
        """Await this in place of a side effect: `await ctx.once("charge", lambda: charge(card), type=Receipt)`.

        The first value stays: this call, repeated after a failure, a crash or a `Suspend`, gets it without the function
        being called. Another call of the node, for another message, has values of its own. A crash between the effect
        and its recording repeats the effect: give it `ctx.invocation_id` as an idempotency key against that.

        Args:
            name: Of the effect, unique in the node.
            fn: Takes nothing; a synchronous one runs in a thread. Its value must have a form in msgpack.
            type: What to decode the value to; without it, builtins: a Struct comes back as a dict, also the first time.

        Raises:
            RuntimeError: The node is synchronous; only an `async def` can await.
            BusError: The bus could not be asked.
        """
        if not self.home.is_here():
            raise RuntimeError(f"ctx.once needs an async node: make '{self.node}' an async def")
        return once(self.store, self.trace_id, f"{self.node}:{self.invocation_id}:{name}", fn, type)

    def _tell(self, value: object) -> None:
        publisher = self.publisher
        if self.origin is not None:
            publisher.emitted(self.origin, value)
