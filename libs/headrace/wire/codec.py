"""The message codec: values of one message type to bytes and back, validated on decode. Pure.

Messages are `msgspec.Struct`, pydantic models or dataclasses. In an envelope they are msgpack, a pydantic model is
the JSON that it writes itself, so that its own serialisers and strict types hold; at the rim (command line, HTTP) all
are JSON. In an envelope a model's fields go by their own names, at the rim by their aliases.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import msgspec
from pydantic import BaseModel
from pydantic_core import PydanticSerializationError

from headrace.errors import InvalidMessageError
from headrace.wire.refusal import describe


def is_message_type(candidate: object) -> bool:
    """Tell whether a class can be a message: Struct, pydantic model or dataclass."""
    if not isinstance(candidate, type):
        return False
    found: type[Any] = candidate
    return issubclass(found, msgspec.Struct | BaseModel) or dataclasses.is_dataclass(found)


class MessageCodec:
    """Encodes and decodes one message type.

    Args:
        message_type: The class; `is_message_type` holds.
        name: Its name in errors and envelopes.

    Raises:
        TypeError: A field's type has no form on the wire.
    """

    def __init__(self, message_type: type[Any], name: str) -> None:
        self.message_type = message_type
        self.name = name
        self._to_body: Callable[[Any], bytes]
        self._to_json: Callable[[Any], bytes]
        self._from_body: Callable[[Any], Any]
        self._from_json: Callable[[Any], Any]
        if issubclass(message_type, BaseModel):
            self._to_body, self._to_json = _model_to_body, _model_to_json
            self._from_json = message_type.model_validate_json
            # not by alias: a field may be written under another alias than it is read from
            self._from_body = lambda body: message_type.model_validate_json(bytes(body), by_alias=False, by_name=True)
        else:
            self._to_body = msgspec.msgpack.Encoder().encode
            self._to_json = msgspec.json.Encoder().encode
            self._from_body = msgspec.msgpack.Decoder(message_type).decode
            self._from_json = msgspec.json.Decoder(message_type).decode

    def encode(self, message: object) -> bytes:
        """Encode to an envelope's body.

        Raises:
            InvalidMessageError: A field holds a value that cannot be encoded.
        """
        return self._encoded(message, self._to_body)

    def decode(self, body: bytes | memoryview) -> Any:  # noqa: ANN401 - the codec is where typed values begin
        """Decode and validate an envelope's body.

        Raises:
            InvalidMessageError: The bytes are malformed, or do not fit the type.
        """
        return self._decoded(body, self._from_body)

    def to_json(self, message: object) -> bytes:
        """Encode to JSON; raises as `encode`."""
        return self._encoded(message, self._to_json)

    def from_json(self, text: bytes) -> Any:  # noqa: ANN401 - the codec is where typed values begin
        """Decode and validate JSON; raises as `decode`."""
        return self._decoded(text, self._from_json)

    def json_schema(self) -> dict[str, Any]:
        """Describe the type's JSON form as JSON Schema 2020-12."""
        if issubclass(self.message_type, BaseModel):
            return self.message_type.model_json_schema()
        return msgspec.json.schema(self.message_type)

    def _encoded(self, message: object, encode: Callable[[Any], bytes]) -> bytes:
        try:
            return encode(message)
        except (TypeError, ValueError, OverflowError, RecursionError, PydanticSerializationError) as error:
            raise InvalidMessageError(self.name, "a field holds a value that cannot be encoded") from error

    def _decoded(self, data: bytes | memoryview, decode: Callable[[Any], Any]) -> Any:  # noqa: ANN401 - as decode
        try:
            return decode(data)
        except Exception as error:  # a validator is its author's code, and may raise anything
            raise InvalidMessageError(self.name, describe(error, self.message_type)) from error


def _model_to_body(message: BaseModel) -> bytes:
    return message.model_dump_json(by_alias=False, round_trip=True).encode()


def _model_to_json(message: BaseModel) -> bytes:
    return message.model_dump_json(by_alias=True).encode()
