"""Reading a request's body, bounded while it comes in."""

from http import HTTPStatus

from fastapi import Request

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


def _too_large(max_bytes: int) -> ProblemError:
    detail = f"the body is larger than {max_bytes} bytes"
    return ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", detail)
