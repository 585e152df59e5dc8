"""What a run tells beside its calls: its own course, series, joins and suspensions; and what is counted of it."""

from collections.abc import Iterator, Sequence

from headrace.errors import Failure
from headrace.graph.options import Suspend
from headrace.graph.plan import ExecutionPlan, NodeKind, PlanNode
from headrace.kernel.attempts import origin_of
from headrace.kernel.engine.publisher import RunPublisher
from headrace.kernel.engine.uncoded import as_envelope
from headrace.kernel.events import (
    FanOutCompleted,
    FanOutItem,
    FanOutStarted,
    JoinReleased,
    NodeFailed,
    Origin,
    RunCancelled,
    RunFinished,
    RunStarted,
    RunTimedOut,
    Stamped,
    Suspended,
    TerminalDropped,
)
from headrace.kernel.outputs import Dispatch
from headrace.kernel.work import Headers, Work
from headrace.ledger.state import Append, Effect, Run
from headrace.ledger.values import Arrive, Enqueue, RunState
from headrace.wire.envelope import Envelope


class Told:
    """Tells the story of one run.

    Args:
        publisher: The only way out.
    """

    def __init__(self, plan: ExecutionPlan, trace_id: str, publisher: RunPublisher) -> None:
        self._plan = plan
        self.publisher = publisher
        self.metrics = publisher.metrics
        self._origin: Origin = (trace_id, "", "", 0, "", "", "", "", NodeKind.RUN, trace_id, "")

    @property
    def is_heard(self) -> bool:
        """Whether there is anybody to tell."""
        return self.publisher.is_heard

    def started(self) -> None:
        """Tell that the run begins."""
        self.publisher.publish(RunStarted(*self.publisher.stamp(self._origin), pipe=self._plan.pipe))

    def timed_out(self) -> None:
        """Tell that its time is up."""
        self.publisher.publish(RunTimedOut(*self.publisher.stamp(self._origin)))

    def cancelled(self) -> None:
        """Tell that it was cancelled."""
        self.publisher.publish(RunCancelled(*self.publisher.stamp(self._origin)))

    def finished(
        self, status: RunState, duration_s: float, result: object, failure: Failure | None, failures: Sequence[Failure]
    ) -> None:
        """Tell that it is over; nothing is told after that."""
        self.publisher.publish(
            RunFinished(
                *self.publisher.stamp(self._origin),
                status=status,
                duration_s=duration_s,
                result=result,
                failure=failure,
                failures=tuple(failures),
                metrics=self.metrics,
            )
        )
        self.publisher.close()

    def fanned_out(self, work: Work, sent: Dispatch, *, is_last: bool) -> None:
        """Tell that a node sends a series."""
        self.metrics.fan_outs += 1
        self.publisher.publish(FanOutStarted(*self._stamp(work.headers, work.node), items=sent.items))
        self.page(work, sent, is_last=is_last)

    def page(self, work: Work, sent: Dispatch, *, is_last: bool) -> None:
        """Tell of messages of a series, and of its end where nothing gathers it."""
        for headers, node in self._items(sent):
            self.metrics.fan_out_items += 1
            position = headers.position if isinstance(headers, Headers) else 0
            self.publisher.publish(FanOutItem(*self._stamp(headers, node), position=position))
        if is_last and not work.node.opens:
            self.publisher.publish(FanOutCompleted(*self._stamp(work.headers, work.node), items=sent.items))

    def failed(self, work: Work, failure: Failure) -> None:
        """Tell that a node failed by what it had returned."""
        stamped = self._stamp(work.headers, work.node)
        self.publisher.publish(NodeFailed(*stamped, duration_s=0.0, failure=failure, retry_in_s=None))

    def went_on(self, work: Work, sent: Dispatch) -> None:
        """Tell what came of a call that just led to others, or that sent one message to where more are waited for."""
        if work.node.is_series:
            self.fanned_out(work, sent, is_last=True)
        for output in sent.outputs:
            if isinstance(output, Arrive) and not (join := output.join).gathers:
                origin = origin_of(as_envelope(output.frame), self._plan.nodes[join.node])
                self.publisher.join_waited(origin, output.slot)

    def settled(self, run: Run, work: Work, sent: Dispatch) -> None:
        """Tell what came of a call: joins that wait for more, terminals that came too late."""
        for output in sent.outputs:
            if isinstance(output, Arrive) and not output.join.gathers:
                arrivals = run.joins.get(output.join.name)
                if arrivals is not None and not arrivals.has_fired:
                    self._waited(output)
        for terminal in sent.terminals:
            if terminal is not run.terminal:
                self.publisher.publish(TerminalDropped(*self._stamp(work.headers, work.node)))

    def released(self, run: Run, effects: Sequence[Effect]) -> None:
        """Tell of joins and gathers that fired."""
        for effect in effects:
            for item in effect.entry.items if isinstance(effect, Append) else ():
                if not isinstance(headers := as_envelope(item.frames[0]), Headers):
                    continue
                node = self._plan.nodes[headers.node]
                if node.gathers:
                    gathered = len(run.joins[item.stash].gathered) if item.stash else 0
                    self.publisher.publish(FanOutCompleted(*self._stamp(headers, node), items=gathered))
                elif node.is_join:
                    self.metrics.joins += 1
                    self.publisher.publish(JoinReleased(*self._stamp(headers, node), messages=len(item.frames)))

    def suspended(self, work: Work, suspend: Suspend) -> None:
        """Tell that a call is parked."""
        self.publisher.publish(Suspended(*self._stamp(work.headers, work.node), until=suspend.until))

    def _waited(self, arrival: Arrive) -> None:
        origin = origin_of(as_envelope(arrival.frame), self._plan.nodes[arrival.join.node])
        self.publisher.join_waited(origin, arrival.slot)

    def _items(self, sent: Dispatch) -> Iterator[tuple[Envelope, PlanNode]]:
        for local in sent.local:
            yield local.headers, local.node
        for output in sent.outputs:
            if isinstance(output, Arrive | Enqueue):
                headers = as_envelope(output.frame)
                yield headers, self._plan.nodes[headers.node]

    def _stamp(self, headers: Envelope, node: PlanNode) -> Stamped:
        return self.publisher.stamp(origin_of(headers, node))
