"""What all runs of one plan in one process share: the plan uncoded, where outputs go, how items become calls."""

from anyio.lowlevel import RunVar

from headrace.graph.plan import ExecutionPlan
from headrace.kernel.admit import Admission
from headrace.kernel.calls import Calls, compile_calls
from headrace.kernel.engine.dispatcher import EngineDispatcher
from headrace.kernel.engine.uncoded import UncodedFraming, uncoded
from headrace.kernel.entry_keys import entry_key
from headrace.kernel.feeds import Feeds
from headrace.kernel.outputs import lane_of


class Parts:
    """The parts of one plan.

    Attributes:
        plan: With all nodes in one group, and no encoding.
        injects: Whether a node has injected parameters.
        has_life: Whether a run has anything to start up or to shut down: hooks, a container.
        takes_signals: Whether a node does.
        meets: Whether messages meet anywhere; if not, nothing but their number has to be kept of calls under way.
    """

    def __init__(self, plan: ExecutionPlan) -> None:
        self.plan = uncoded(plan)
        self.feeds = Feeds(self.plan)
        self.dispatcher = EngineDispatcher(self.plan, self.feeds)
        self.admission = Admission(self.plan, "", UncodedFraming())
        nodes = tuple(self.plan.nodes.values())
        self.injects = any(node.injected for node in nodes)
        self.has_life = bool(self.injects or plan.providers or plan.on_startup or plan.on_shutdown)
        self.takes_signals = any(node.signals for node in nodes)
        self.meets = any(node.is_join for node in nodes)
        self._ticketed = tuple(node for node in nodes if node.keyed and node.keyed.ingress_key_of)
        self._calls: RunVar[Calls] = RunVar("headrace_calls")
        has_bounds = any(node.concurrency is not None for node in nodes)
        self._shared_calls = None if has_bounds else self._compiled()

    def calls(self) -> Calls:
        """Give what calls the nodes in this event loop: bounds of concurrency are of one loop."""
        if self._shared_calls is not None:
            return self._shared_calls
        calls = self._calls.get(None)
        if calls is None:
            calls = self._compiled()
            self._calls.set(calls)
        return calls

    def tickets(self, message: object) -> tuple[tuple[str, str], ...]:
        """Give the lanes that a run takes tickets in when it starts, each with the stream that it feeds.

        Raises:
            InvalidMessageError: A key cannot be computed.
        """
        if not self._ticketed:
            return ()
        plan = self.plan
        keys = [
            (node, entry_key(plan, node.name, node.keyed.ingress_key_of, message))
            for node in self._ticketed
            if node.keyed is not None and node.keyed.ingress_key_of is not None
        ]
        return tuple((lane_of(plan.pipe, node.name, key), plan.stream(node.group)) for node, key in keys)

    def _compiled(self) -> Calls:
        return compile_calls(self.plan.nodes.values(), self.plan.middleware)
