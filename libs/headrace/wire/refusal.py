"""Says why a payload was refused: the place in it and what was expected there, never what stood there. Pure.

The validators' own words may quote the payload: msgspec a bad enum value or an unknown field, pydantic a bad tag, and
whoever writes a validator anything. So such words are replaced, and a place is spelled only by names that the
type itself has.
"""

import re
from collections.abc import Iterator
from typing import Any, cast, get_args

import msgspec
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, core_schema

_SHOWN_MISTAKES = 3  # of a pydantic validation: enough to act on, bounded in a log
_HIDDEN = "[...]"  # a place that the payload names, such as a mapping's key; as msgspec writes it
_AT = re.compile(r" - at (?:`key` in )?`\$(?:\.\w+|\[(?:\d+|\.\.\.)\])*`$")
_QUOTING = (
    (re.compile(r"Invalid enum value "), "Value is not one of the allowed ones"),
    (re.compile(r"Invalid value "), "Value is not one of the allowed tags"),
    (re.compile(r"Object contains unknown field "), "Object contains an unknown field"),
)
_OWN_CHECK = "Value is refused by the type's own check"
_FREE_TEXT = frozenset(
    {
        "value_error",
        "assertion_error",
        "union_tag_invalid",
        "uuid_parsing",
        "timezone_offset",
        "url_parsing",
        "url_syntax_violation",
        "bytes_invalid_encoding",
        "iteration_error",
        "mapping_type",
        "get_attribute_error",
        "no_such_attribute",
    }
)
_FIXED_TEXT = frozenset(cast("tuple[str, ...]", get_args(core_schema.ErrorType))) - _FREE_TEXT


def describe(error: Exception, message_type: type[Any]) -> str:
    """Describe what decoding a payload raised.

    Args:
        error: Of msgspec, of pydantic, or of a check that the message type's author wrote.
        message_type: The type that the payload was for.
    """
    match error:
        case ValidationError():
            return _of_pydantic(error, message_type)
        case msgspec.MsgspecError():
            return _of_msgspec(error)
        case UnicodeDecodeError():
            return "a text is not UTF-8"
        case RecursionError():
            return "it is nested too deeply"
        case _:
            return f"{_OWN_CHECK} ({type(error).__name__})"


def _of_msgspec(error: msgspec.MsgspecError) -> str:
    text = str(error)
    at = _AT.search(text)
    place = at.group() if at else ""
    if error.__cause__ is not None:  # raised by a __post_init__: the words are its author's
        return _OWN_CHECK + place
    return next((plain + place for quoting, plain in _QUOTING if quoting.match(text)), text)


def _of_pydantic(error: ValidationError, message_type: type[Any]) -> str:
    mistakes = error.errors(include_url=False, include_context=False, include_input=False)
    names = frozenset(_names(message_type)) if any(mistake["loc"] for mistake in mistakes) else frozenset[str]()
    shown = [f"{_place(mistake['loc'], names)}: {_words(mistake)}" for mistake in mistakes[:_SHOWN_MISTAKES]]
    more = len(mistakes) - _SHOWN_MISTAKES
    return "; ".join((*shown, *((f"and {more} more",) if more > 0 else ())))


def _words(mistake: ErrorDetails) -> str:
    if mistake["type"] in _FIXED_TEXT:
        return mistake["msg"]
    return "Value is not one of the allowed tags" if mistake["type"] == "union_tag_invalid" else _OWN_CHECK


def _place(loc: tuple[int | str, ...], names: frozenset[str]) -> str:
    place = ""
    for step in loc:
        if isinstance(step, int):
            place += f"[{step}]"
        else:
            place += f".{step}" if step in names else _HIDDEN
    return place.removeprefix(".") or "message"


def _names(message_type: type[Any]) -> Iterator[str]:
    """Give the names of a model's fields and of those within it, by which its payloads may be spelled."""
    if not issubclass(message_type, BaseModel):
        return
    for by_alias in (True, False):
        schema = message_type.model_json_schema(by_alias=by_alias)
        for part in (schema, *schema.get("$defs", {}).values()):
            yield from part.get("properties", {})
