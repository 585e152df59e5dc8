"""Reading a request's body, bounded while it comes in, and the message in it."""

import asyncio
from http import HTTPStatus

import msgspec
from fastapi import Request

from headrace.errors import InvalidMessageError
from headrace.wire.codec import MessageCodec
from headrace_gateway.limits import Limits
from headrace_gateway.problem import ProblemError


async def read_body(request: Request, limits: Limits) -> bytes:
    """Read the body.

    Raises:
        ProblemError: It is larger than allowed, of which nothing more was kept, or has not come in time.
        ClientDisconnect: The caller has gone.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limits.max_body_bytes:
        raise _too_large(limits.max_body_bytes)
    try:
        async with asyncio.timeout(limits.body_timeout_s):
            return await _read(request, limits.max_body_bytes)
    except TimeoutError:
        raise _too_slow(limits.body_timeout_s) from None


async def _read(request: Request, max_bytes: int) -> bytes:
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


def _too_slow(timeout_s: float) -> ProblemError:
    detail = f"the body has not come within {timeout_s:g} s"
    headers = {"Connection": "close"}  # the rest of it is not waited for
    return ProblemError(
        HTTPStatus.REQUEST_TIMEOUT, "body_timeout", detail, headers=headers, limit="body_timeout_s", value=timeout_s
    )


def _too_large(max_bytes: int) -> ProblemError:
    detail = f"the body is larger than {max_bytes} bytes"
    return ProblemError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", detail, limit="max_body_bytes", value=max_bytes
    )
