"""Reading a request's body, bounded while it comes in, and the message in it."""

from http import HTTPStatus

import msgspec
from fastapi import Request

from headrace.errors import InvalidMessageError
from headrace.wire.codec import MessageCodec
from headrace_gateway.problem import ProblemError


async def read_body(request: Request, max_bytes: int) -> bytes:
    """Read the body.

    Raises:
        ProblemError: It is larger than allowed; nothing over that was kept.
        ClientDisconnect: The caller has gone.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > max_bytes:
        raise _too_large(max_bytes)
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > max_bytes:
            raise _too_large(max_bytes)
        parts.append(part)
    return b"".join(parts)


def message_in(body: bytes, codec: MessageCodec) -> object:
    """Decode the message in a body.

    Raises:
        ProblemError: The body is no JSON.
        InvalidMessageError: It does not fit the message's type.
    """
    try:
        return codec.from_json(body)
    except InvalidMessageError:
        try:
            msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise ProblemError(HTTPStatus.BAD_REQUEST, "malformed_json", "the body is no JSON") from None
        raise


def _too_large(max_bytes: int) -> ProblemError:
    detail = f"the body is larger than {max_bytes} bytes"
    return ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", detail)
