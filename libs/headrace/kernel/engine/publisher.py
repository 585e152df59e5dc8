"""The way out for the events of one run: counted, hooked, handed to observers, and to whoever iterates over them."""

from headrace.kernel.clock import Clock
from headrace.kernel.engine.outlet import Outlet
from headrace.kernel.events import Hook, KernelEvent, NodeEnded, NodeFailed, Observer
from headrace.kernel.metrics import NodeMetrics, RunMetrics
from headrace.kernel.publisher import Publisher

_ENDS = (NodeEnded, NodeFailed)  # a tuple: a union would be made anew for each event


class RunPublisher(Publisher):
    """A publisher with a reader and a count.

    Attributes:
        metrics: Of the calls that were told of.
    """

    def __init__(
        self, observers: tuple[Observer, ...], hooks: tuple[Hook, ...], *, clock: Clock, outlet: Outlet | None
    ) -> None:
        super().__init__(observers, hooks, clock=clock)
        self._put = outlet.put if outlet is not None else None
        self._is_plain = outlet is not None and not observers and not hooks
        self.metrics = RunMetrics()
        self.is_heard = self.is_heard or outlet is not None

    def publish(self, event: KernelEvent) -> None:
        """Count the event, and tell the reader and every observer."""
        if not self.is_heard:  # the run is over: a thread that was left behind
            return
        if isinstance(event, _ENDS):
            self._count(event)
        if self._is_plain and self._put is not None:
            self._put(event)
            return
        heard: KernelEvent | None = self._hooked(event) if self._hooks else event
        if heard is None:
            return
        if self._put is not None:
            self._put(heard)
        if self._observers:
            self._tell(heard)

    def _count(self, event: NodeEnded | NodeFailed) -> None:
        nodes = self.metrics.nodes
        node = nodes.get(event.node)
        if node is None:
            node = nodes[event.node] = NodeMetrics()
        node.add(event.duration_s)
        if isinstance(event, NodeFailed):
            node.failed += 1
