"""Redriving: the start of a run that does the work of a dead letter again. Pure.

The new run begins at the node that the letter was for, with exactly the messages that it had, and has no deadline. Its
trace_id follows from the letter, so that redriving a letter twice starts one run.
"""

from hashlib import blake2b

import msgspec
from msgspec import structs

from headrace.errors import EnvelopeError, NotRedrivableError
from headrace.graph.mistakes import suggest
from headrace.graph.plan import ExecutionPlan, PlanNode
from headrace.kernel.feeds import Feeds
from headrace.kernel.outputs import lane_of
from headrace.ledger import dead_letter
from headrace.ledger.dead_letter import DeadLetter
from headrace.ledger.values import Arrive, Emit, Enqueue, Item, Letter, Output, Schedule, Submission
from headrace.wire.envelope import Envelope, Framing
from headrace.wire.trace import is_trace_id, partition_of, trace_id

_ENTROPY_BYTES = 14  # of a trace_id
_ROOT = ""  # the scope of a run's own: what it was part of ended with the old run


class Redrive:
    """Makes the submissions that redrive dead letters of one pipe."""

    def __init__(self, plan: ExecutionPlan, framing: Framing) -> None:
        self._plan = plan
        self._framing = framing
        self._feeds = Feeds(plan)

    def make(self, group: str, letter: Letter) -> Submission:
        """Make a submission; the same again for the same letter.

        Args:
            group: Where the letter lies.

        Raises:
            NotRedrivableError: The letter does not hold what a run could start from; it says why.
        """
        envelopes = self._envelopes(letter)
        headers = envelopes[0]
        node = self._node(letter, headers)
        of = f"{group}/{letter.partition}/{letter.id}/{headers.trace_id}".encode()
        entropy = blake2b(of, digest_size=_ENTROPY_BYTES).digest()
        trace = trace_id(partition_of(headers.trace_id), entropy)
        outputs = self._outputs(letter, node, [self._anew(envelope, trace) for envelope in envelopes])
        return Submission(trace, self._plan.pipe, self._plan.version, outputs)

    def _envelopes(self, letter: Letter) -> list[Envelope]:
        try:
            envelopes = [self._framing.open(frame) for frame in _decoded(letter).frames]
        except EnvelopeError as error:
            raise NotRedrivableError(letter.id, str(error)) from error
        if not envelopes or not is_trace_id(envelopes[0].trace_id):
            raise NotRedrivableError(letter.id, "it has no message of a run")
        return envelopes

    def _node(self, letter: Letter, headers: Envelope) -> PlanNode:
        node = self._plan.nodes.get(headers.node)
        if headers.pipe != self._plan.pipe:
            raise NotRedrivableError(letter.id, f"it is of pipe '{headers.pipe}', and this is '{self._plan.pipe}'")
        if node is None:
            hint = suggest(headers.node, list(self._plan.nodes))
            raise NotRedrivableError(letter.id, f"pipe '{self._plan.pipe}' has no node '{headers.node}' now{hint}")
        if node.gathers:
            why = f"what node '{node.name}' had gathered is gone with its run; start that run again"
            raise NotRedrivableError(letter.id, why)
        gather = next((reach.node for reach in node.reaches if self._plan.nodes[reach.node].gathers), None)
        if headers.scope and gather is not None:
            why = f"it is one of several that node '{gather}' gathers, which ended with their run; start that run again"
            raise NotRedrivableError(letter.id, why)
        return node

    def _anew(self, envelope: Envelope, trace: str) -> Envelope:
        return structs.replace(
            envelope,
            trace_id=trace,
            plan=self._plan.version,
            deadline_ms=0,
            attempt=1,
            scope=_ROOT,
            tickets=(),
            origin_run_id=envelope.trace_id,
            failed_ms=0,
        )

    def _outputs(self, letter: Letter, node: PlanNode, envelopes: list[Envelope]) -> tuple[Output, ...]:
        group, feeds = self._plan.stream(node.group), self._feeds.of(node, _ROOT)
        frames = tuple(self._framing.seal(envelope) for envelope in envelopes)
        has_signals = any(not envelope.node for envelope in envelopes)
        if node.keyed is not None:
            first, *others = frames
            if others:
                raise NotRedrivableError(letter.id, f"node '{node.name}' is keyed, and the letter has several messages")
            lane = lane_of(self._plan.pipe, node.name, envelopes[0].key)
            return (Enqueue(group, lane, first, by_ingress=False, feeds=feeds),)
        if has_signals:  # what comes back of itself keeps the signal that it had
            return (Schedule(group, 0, Item(frames), feeds=feeds),)
        if node.is_join:
            join = self._feeds.join(node.name, _ROOT)
            arrivals = zip(envelopes, frames, strict=True)
            return tuple(Arrive(join, envelope.slot, frame, feeds) for envelope, frame in arrivals)
        return tuple(Emit(group, frame, feeds) for frame in frames)


def _decoded(letter: Letter) -> DeadLetter:
    try:
        return dead_letter.decode(letter.blob)
    except msgspec.MsgspecError as error:
        raise NotRedrivableError(letter.id, "it is none of ours") from error
