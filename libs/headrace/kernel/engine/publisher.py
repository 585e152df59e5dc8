"""The way out for the events of one run: counted, hooked, handed to observers, and to whoever iterates over them."""

from headrace.kernel.clock import Clock
from headrace.kernel.engine.outlet import Outlet
from headrace.kernel.events import Hook, JoinWaited, KernelEvent, NodeEnded, NodeFailed, NodeStarted, Observer, Origin
from headrace.kernel.metrics import NodeMetrics, RunMetrics
from headrace.kernel.publisher import Publisher


class RunPublisher(Publisher):
    """A publisher with a reader and a count.

    Attributes:
        metrics: Of the calls that were told of.
        takes_emissions: Unset when no node is to be heard any more (I8).
    """

    def __init__(
        self, observers: tuple[Observer, ...], hooks: tuple[Hook, ...], *, clock: Clock, outlet: Outlet | None
    ) -> None:
        super().__init__(observers, hooks, clock=clock)
        self._outlet = outlet
        # most events have one reader, and nobody else
        self._put = outlet.put if outlet is not None and not observers and not hooks else None
        self.metrics = RunMetrics()
        self.takes_emissions = True
        self.is_heard = self.is_heard or outlet is not None

    def node_started(self, origin: Origin) -> None:
        """Tell that a node is about to be called."""
        (self._put or self.publish)(NodeStarted(*(origin + (self._next_seq(), self._now()))))  # noqa: RUF005 - as `stamp`

    def node_ended(self, origin: Origin, duration_s: float, outputs: int) -> None:
        """Count the call, and tell that it returned."""
        if not self.is_heard:
            return
        nodes = self.metrics.nodes
        node = nodes.get(origin[1])
        if node is None:
            nodes[origin[1]] = NodeMetrics(1, 0, duration_s, duration_s)
        else:
            node.add(duration_s)
        stamped = origin + (self._next_seq(), self._now(), duration_s, outputs)  # noqa: RUF005 - as `stamp`
        (self._put or self.publish)(NodeEnded(*stamped))

    def emitted(self, origin: Origin, value: object) -> None:
        """Tell what a node tells of its progress, unless its call was left behind: a thread cannot be stopped."""
        if self.takes_emissions:
            super().emitted(origin, value)

    def join_waited(self, origin: Origin, slot: str) -> None:
        """Tell that a message came to a join that waits for more."""
        stamped = origin + (self._next_seq(), self._now(), slot)  # noqa: RUF005 - as `stamp`
        (self._put or self.publish)(JoinWaited(*stamped))

    def publish(self, event: KernelEvent) -> None:
        """Tell the reader and every observer."""
        if not self.is_heard:  # the run is over: a thread that was left behind
            return
        if self._put is not None:
            self._put(event)
            return
        heard: KernelEvent | None = self._hooked(event) if self._hooks else event
        if heard is None:
            return
        if self._outlet is not None:
            self._outlet.put(heard)
        if self._observers:
            self._tell(heard)

    def node_failed(self, event: NodeFailed) -> None:
        """Count the call, and tell that it failed."""
        if self.is_heard:
            node = self.metrics.nodes.setdefault(event.node, NodeMetrics())
            node.add(event.duration_s)
            node.failed += 1
            self.publish(event)
