"""Messages that never leave their process: in place of its bytes stands the message, the envelope, the call itself.

The ledger carries frames and blobs without a look at them, so its rules hold for these as they do for bytes. Only the
state of a key is encoded: a call that fails must leave it as it was.
"""

from dataclasses import replace
from typing import Any, cast

from headrace.graph.plan import ExecutionPlan, PlanNode
from headrace.ledger.values import RunState, Terminal
from headrace.wire.codec import MessageCodec
from headrace.wire.envelope import Envelope, Framing


def as_frame(what: Any) -> bytes:  # noqa: ANN401 - a message, an envelope, a call
    """Let something stand for its bytes."""
    frame: bytes = what
    return frame


def as_envelope(frame: Any) -> Envelope:  # noqa: ANN401 - in place of bytes
    """Give the envelope that stands for a frame."""
    envelope: Envelope = frame
    return envelope


class UncodedFraming(Framing):
    """Gives envelopes as they are."""

    def seal(self, envelope: Envelope) -> bytes:
        """Let the envelope stand for its frame."""
        return as_frame(envelope)

    def open(self, frame: bytes) -> Envelope:
        """Give the envelope that stands for a frame."""
        return as_envelope(frame)


class UncodedCodec(MessageCodec):
    """Gives messages of one type as they are."""

    def encode(self, message: object) -> bytes:
        """Let the message stand for its bytes."""
        return as_frame(message)

    def decode(self, body: bytes | memoryview) -> Any:  # noqa: ANN401 - a user's message
        """Give the message that stands for its bytes."""
        return body


def uncoded(plan: ExecutionPlan) -> ExecutionPlan:
    """Give a plan whose nodes are all in one place, this process, and hand on messages as they are."""
    return replace(
        plan,
        nodes={name: _uncoded_node(node) for name, node in plan.nodes.items()},
        codecs=_codecs(plan.codecs),
        groups={"": tuple(plan.nodes)},
    )


def completed_with(message: object) -> Terminal:
    """Make the terminal of a run that completed with an output."""
    return Terminal(RunState.COMPLETED, as_frame(message))


def message_of(terminal: Terminal) -> Any:  # noqa: ANN401 - a user's message
    """Give what a run completed with; None for nothing."""
    blob = cast("object", terminal.blob)
    return None if isinstance(blob, bytes) else blob


def _uncoded_node(node: PlanNode) -> PlanNode:
    if node.runs_elsewhere:  # a run in one process keeps to it: in a thread, or where it is asynchronous, in the loop
        node = replace(node, executor="inline" if node.is_async else "thread")
    return replace(node, signals=_codecs(node.signals)) if node.signals else node


def _codecs(codecs: Any) -> dict[str, MessageCodec]:  # noqa: ANN401 - a mapping of codecs
    return {name: UncodedCodec(codec.message_type, codec.name) for name, codec in codecs.items()}
