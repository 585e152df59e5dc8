"""Keys of keyed nodes: how the key is taken from a message, and what can be wrong with it. Pure.

A key is a field of the message, or a function of it; either way it is made a `str`. A plain string is always a field,
so that a misspelled field cannot become one lane for all: a constant key is `key=lambda _: "all"`.
"""

from collections.abc import Callable, Iterator
from typing import Any

from headrace.graph.function_names import name_of
from headrace.graph.message_types import codec_of, field_names, needs_arguments, type_name
from headrace.graph.mistakes import Mistake, MistakeKind
from headrace.graph.node import Node
from headrace.graph.plan import DEFAULT_STATE_MAX_BYTES, Keyed
from headrace.wire.codec import MessageCodec


def key_mistakes(node: Node, entry: type[Any] | None) -> Iterator[Mistake]:
    """Find what is wrong with the key and the state of a node; an entry type that is not known is not checked."""
    key = node.options.get("key")
    if isinstance(key, str) and node.slots and not node.is_join:
        yield from _unknown_field(node, key, "message", node.slots[0].type)
        if entry is not None and _by_ingress(node):
            yield from _unknown_field(node, key, "the entry type", entry)
    state = node.signature.state
    if state is not None:
        codec = codec_of(state.type, node.where)
        if isinstance(codec, Mistake):
            yield codec
        if needs_arguments(state.type):
            facts = {"type": type_name(state.type)}
            yield Mistake(kind=MistakeKind.STATE_NEEDS_ARGUMENTS, where=node.where, facts=facts)


def keyed_of(node: Node) -> Keyed | None:
    """Give how a node without mistakes orders its work; None where it has no key."""
    key = node.options.get("key")
    if key is None:
        return None
    state = node.signature.state
    key_of = _of_field(key) if isinstance(key, str) else _of_function(key)
    return Keyed(
        order=node.options.get("order", "arrival"),
        key=key if isinstance(key, str) else f"{name_of(key)}()",
        key_of=key_of,
        ingress_key_of=key_of if _by_ingress(node) else None,
        state_param=state.name if state is not None else None,
        state=MessageCodec(state.type, type_name(state.type)) if state is not None else None,
        state_ttl_s=node.options.get("state_ttl"),
        state_max_bytes=node.options.get("state_max_bytes", DEFAULT_STATE_MAX_BYTES),
    )


def _by_ingress(node: Node) -> bool:
    return node.options.get("order") == "ingress"


def _unknown_field(node: Node, key: str, what: str, message_type: type[Any]) -> Iterator[Mistake]:
    known = field_names(message_type)
    if key not in known:
        facts = {"what": what, "type": type_name(message_type)}
        yield Mistake(kind=MistakeKind.UNKNOWN_KEY, where=node.where, facts=facts, wrong=key, known=known)


def _of_field(name: str) -> Callable[[Any], str]:
    def key_of(message: object) -> str:
        return str(getattr(message, name))

    return key_of


def _of_function(function: Callable[[Any], object]) -> Callable[[Any], str]:
    def key_of(message: object) -> str:
        return str(function(message))

    return key_of
