"""Signals that nodes wait for: their codecs, and what can be wrong with them. Pure.

A signal is sent to a run by name, so it has one type in the whole pipe.
"""

from collections.abc import Iterable, Iterator

from headrace.graph.message_types import codec_of, type_name
from headrace.graph.mistakes import Mistake, MistakeKind
from headrace.graph.node import Node
from headrace.wire.codec import MessageCodec


def signal_mistakes(nodes: Iterable[Node]) -> Iterator[Mistake]:
    """Find signals without a form on the wire, and those of one name and two types."""
    first: dict[str, Node] = {}
    for node in nodes:
        for signal, signal_type in node.signature.signals.items():
            if isinstance(codec := codec_of(signal_type, node.where), Mistake):
                yield codec
            other = first.setdefault(signal, node)
            if (other_type := other.signature.signals[signal]) is not signal_type:
                types = {"type": type_name(signal_type), "other": type_name(other_type)}
                facts = {"signal": signal, "node": other.name, **types}
                yield Mistake(kind=MistakeKind.SIGNAL_OF_TWO_TYPES, where=node.where, facts=facts)


def signals_of(node: Node) -> dict[str, MessageCodec]:
    """Give the codecs of a node's signals; it has no mistakes."""
    return {name: MessageCodec(each, type_name(each)) for name, each in node.signature.signals.items()}
