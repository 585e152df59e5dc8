"""What the graph needs to know of message types: their names on the wire, their fields, their codecs. Pure."""

import dataclasses
import inspect
from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from pydantic import BaseModel
from pydantic.errors import PydanticUserError

from headrace.graph.mistakes import Mistake, MistakeKind, Where
from headrace.wire.codec import MessageCodec


def type_name(message_type: type[Any]) -> str:
    """Name a class as envelopes do: its qualified name, without the function it is defined in."""
    return message_type.__qualname__.rpartition("<locals>.")[2]


def field_names(message_type: type[Any]) -> tuple[str, ...]:
    """Name the fields of a message type, in order of declaration."""
    if issubclass(message_type, Struct):
        return message_type.__struct_fields__
    if issubclass(message_type, BaseModel):
        return tuple(message_type.model_fields)
    return tuple(each.name for each in dataclasses.fields(message_type))


def needs_arguments(message_type: type[Any]) -> bool:
    """Tell whether a message type has fields without default."""
    unbound = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
    parameters = inspect.signature(message_type).parameters.values()
    return any(each.default is inspect.Parameter.empty and each.kind not in unbound for each in parameters)


def codec_of(message_type: type[Any], where: Where) -> MessageCodec | Mistake:
    """Build the codec of a message type, or say why it has none.

    The schema is built too: msgspec makes decoders for field types that it cannot encode, and only the schema tells.
    """
    name = type_name(message_type)
    try:
        codec = MessageCodec(message_type, name)
        codec.json_schema()
    except (TypeError, NameError, PydanticUserError) as error:
        reason = str(error).strip().splitlines()
        # msgspec puts its advice first and the type in the last line; pydantic the cause first, a link last
        why = reason[0] if isinstance(error, PydanticUserError) else reason[-1]
        return Mistake(kind=MistakeKind.UNSERIALISABLE, where=where, facts={"type": name, "why": why})
    return codec


def codecs_of(used: Mapping[type[Any], Where]) -> tuple[dict[str, MessageCodec], tuple[Mistake, ...]]:
    """Build the codec of every message type, by its name.

    Args:
        used: By type, where it is first used.

    Returns:
        The codecs, and the mistakes: types of one name, types without a form on the wire.
    """
    codecs: dict[str, MessageCodec] = {}
    mistakes: list[Mistake] = []
    owners: dict[str, type[Any]] = {}
    for message_type, where in used.items():
        name = type_name(message_type)
        owner = owners.setdefault(name, message_type)
        if owner is not message_type:
            facts = {"first": _spelled(owner), "second": _spelled(message_type), "name": name}
            mistakes.append(Mistake(kind=MistakeKind.SAME_TYPE_NAME, where=where, facts=facts))
            continue
        match codec_of(message_type, where):
            case Mistake() as mistake:
                mistakes.append(mistake)
            case codec:
                codecs[name] = codec
    return codecs, tuple(mistakes)


def _spelled(message_type: type[Any]) -> str:
    return f"{message_type.__module__}.{message_type.__qualname__}"
