"""Signals on their way to a run: the frame of one, and the groups whose work may wait for it. Pure."""

from msgspec import Struct

from headrace.errors import InvalidMessageError, UnknownSignalError
from headrace.graph.plan import ExecutionPlan
from headrace.wire.codec import MessageCodec
from headrace.wire.envelope import Envelope, Framing


class SentSignal(Struct, frozen=True):
    """A signal to give to a run.

    Attributes:
        groups: The streams of the groups that may have work parked for it.
    """

    frame: bytes
    groups: tuple[str, ...]


def signal_codecs(plan: ExecutionPlan) -> dict[str, MessageCodec]:
    """Give the codec of each signal that nodes of a plan wait for, by the signal's name."""
    return {name: codec for node in plan.nodes.values() for name, codec in node.signals.items()}


def seal_signal(plan: ExecutionPlan, framing: Framing, trace_id: str, name: str, message: object) -> SentSignal:
    """Make a signal.

    Raises:
        UnknownSignalError: No node waits for a signal of this name.
        InvalidMessageError: The message is of another type, or cannot be encoded.
        EnvelopeTooLargeError: It is over the limit.
    """
    codecs = signal_codecs(plan)
    codec = codecs.get(name)
    if codec is None:
        raise UnknownSignalError(plan.pipe, name, tuple(codecs))
    if not isinstance(message, codec.message_type):
        raise InvalidMessageError(codec.name, f"it is a {type(message).__name__}")
    envelope = Envelope(
        id=f"signal/{name}",
        trace_id=trace_id,
        pipe=plan.pipe,
        node="",
        slot=name,
        type=codec.name,
        body=codec.encode(message),
        plan=plan.version,
    )
    groups = dict.fromkeys(plan.stream(node.group) for node in plan.nodes.values() if name in node.signals)
    return SentSignal(framing.seal(envelope), tuple(groups))
