"""Where bodies of nodes run that have an executor outside of this process. The executors, a layer above, provide it."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from headrace.graph.plan import PlanNode

Call = Callable[[dict[str, Any]], Awaitable[list[Any]]]


class Elsewhere(Protocol):
    """Places in other processes."""

    def place(self, node: PlanNode) -> AbstractAsyncContextManager[Call]:
        """Wait for a place that is free and ready, and have it for one call: the node's time starts only there.

        The call takes messages, signals, the `Context` and the state by parameter; injected ones are made where the
        node runs. Cancelled, it is stopped there. A state that the node changes is changed in place.
        """
        ...
