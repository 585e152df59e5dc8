"""What calls and answers look like on the wire: the methods of `bus.protocol`, in msgpack. Pure.

The table is made of the protocol itself: a call is a method's number and its arguments in the order of the signature,
an answer is what the method gives. A frame holds a list of calls, or of answers, in any number.
"""

import hashlib
import inspect
from collections.abc import Callable, Sequence
from typing import Any, get_type_hints

import msgspec
from msgspec import Raw, Struct

from headrace.bus.protocol import Events, Ingress, Replies, Roster, Work
from headrace.bus.tcp.handshake import VERSION_BYTES
from headrace.bus.tcp.refusals import FrameRefusedError, Refusal

CANCEL = 0
"""The number of the call that cancels another, which it names as its `after`; it has no answer."""

CONFIRMED = frozenset({"read_inbox", "abandoned"})
"""Methods that take from the bus what they give: an answer is kept until the next call says that it came."""

_NOTHING = Raw(b"\xc0")
_encode = msgspec.msgpack.Encoder().encode
_LIST = b"\xdd"
_COUNT_BYTES = 4


class Call(Struct, frozen=True, array_like=True):
    """One call.

    Attributes:
        id: The caller's own number for it, by which its answer is known.
        after: Of a confirmed method, the number of the last answer that came.
    """

    id: int
    method: int
    arguments: Raw = _NOTHING
    after: int = 0


class Answer(Struct, frozen=True, array_like=True):
    """The answer to a call.

    Attributes:
        number: Of a confirmed method; what its next call is to say as `after`.
        error: The code of the error that there is instead of a value; empty for none.
        why: What the error says.
    """

    id: int
    value: Raw = _NOTHING
    number: int = 0
    error: str = ""
    why: str = ""


class Method(Struct, frozen=True):
    """A method of the protocol.

    Attributes:
        number: In the table, from 1; 0 is `CANCEL`.
        decode: Decodes its arguments, and checks them.
        decode_answer: Decodes what it gives.
        keywords: The last of its arguments, which go by name.
    """

    number: int
    name: str
    decode: Callable[[Raw], tuple[Any, ...]]
    decode_answer: Callable[[Raw], Any]
    keywords: tuple[str, ...]

    def call(self, bus: object, arguments: tuple[Any, ...]) -> Any:  # noqa: ANN401 - what the method gives, to be awaited
        """Call it on a bus."""
        by_place = len(arguments) - len(self.keywords)
        named = dict(zip(self.keywords, arguments[by_place:], strict=True))
        return getattr(bus, self.name)(*arguments[:by_place], **named)


def encode_call(call_id: int, method: Method, arguments: bytes, after: int) -> bytes:
    """Encode a call, whose arguments are encoded already."""
    return _encode(Call(call_id, method.number, Raw(arguments), after))


def encode_cancel(call_id: int) -> bytes:
    """Encode the call that cancels another."""
    return _encode(Call(0, CANCEL, after=call_id))


def encode_answer(call_id: int, value: object, number: int = 0) -> bytes:
    """Encode an answer."""
    return _encode((call_id, value, number))


def encode_error(call_id: int, code: str, why: str) -> bytes:
    """Encode the answer to a call that failed."""
    return _encode(Answer(call_id, error=code, why=why))


def joined(messages: Sequence[bytes]) -> bytes:
    """Make the payload of a frame of encoded calls, or answers."""
    return b"".join((_LIST, len(messages).to_bytes(_COUNT_BYTES), *messages))


def decode_calls(payload: memoryview) -> list[Call]:
    """Decode the payload of a frame.

    Raises:
        FrameRefusedError: It holds no calls.
    """
    try:
        return _decode_calls(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise FrameRefusedError(Refusal.MALFORMED) from error


def decode_arguments(call: Call) -> tuple[Method, tuple[Any, ...]]:
    """Find a call's method and decode its arguments.

    Raises:
        FrameRefusedError: There is no such method, or its arguments are of another form.
    """
    if not 0 < call.method <= len(METHODS):
        raise FrameRefusedError(Refusal.UNKNOWN_KIND)
    method = METHODS[call.method - 1]
    try:
        return method, method.decode(call.arguments)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise FrameRefusedError(Refusal.MALFORMED) from error


def decode_answers(payload: memoryview) -> list[Answer]:
    """Decode the payload of a frame.

    Raises:
        FrameRefusedError: It holds no answers.
    """
    try:
        return _decode_answers(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise FrameRefusedError(Refusal.MALFORMED) from error


def _method(number: int, function: Callable[..., Any]) -> Method:
    hints = get_type_hints(function)
    gives = hints.pop("return")
    takes = inspect.signature(function).parameters.values()
    return Method(
        number,
        function.__name__,
        msgspec.msgpack.Decoder(tuple[tuple(hints.values())]).decode,  # type: ignore[misc]  # made of the signature
        msgspec.msgpack.Decoder(gives).decode,
        tuple(each.name for each in takes if each.kind is inspect.Parameter.KEYWORD_ONLY),
    )


def _functions() -> list[Callable[..., Any]]:
    return [
        function
        for part in (Work, Ingress, Replies, Events, Roster)
        for name, function in vars(part).items()
        if inspect.iscoroutinefunction(function) and not name.startswith("_")
    ]


METHODS = tuple(_method(number, function) for number, function in enumerate(_functions(), 1))
"""Every method, in the order of the protocol."""

BY_NAME = {method.name: method for method in METHODS}
VERSION = hashlib.sha256(
    "\n".join(f"{function.__name__}{inspect.signature(function)}" for function in _functions()).encode()
).digest()[:VERSION_BYTES]
"""Of the protocol: of both ends alike, or they do not speak to each other."""

_decode_calls = msgspec.msgpack.Decoder(list[Call]).decode
_decode_answers = msgspec.msgpack.Decoder(list[Answer]).decode
