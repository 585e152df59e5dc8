"""What a request asks for beside its body: how long to wait, a deadline, a trace context. Pure."""

import math
import re
from collections.abc import Iterable
from http import HTTPStatus

from msgspec import Struct

from headrace_gateway.problem import ProblemError

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_KEY = re.compile(r"[!-~](?:[ -~]{0,253}[!-~])?")
_MAX_TIMEOUT_S = 7 * 24 * 3600.0


class Preference(Struct, frozen=True):
    """The `Prefer` header (RFC 7240), as far as it is ours.

    Attributes:
        wait_s: Seconds to wait; None where it says nothing.
        is_async: To answer 202 where there is no answer in time, and without `wait` at once.
    """

    wait_s: float | None = None
    is_async: bool = False


def preference_of(headers: Iterable[str]) -> Preference:
    """Read `Prefer` headers; what is unknown or malformed in them is ignored, as the RFC asks."""
    wait_s, is_async = None, False
    for part in ",".join(headers).lower().split(","):
        name, _, value = part.partition(";")[0].partition("=")
        value = value.strip().strip('"')
        if name.strip() == "wait" and value.isascii() and value.isdigit() and wait_s is None:
            wait_s = float(value)
        elif name.strip() == "respond-async":
            is_async = True
    return Preference(wait_s, is_async)


def timeout_of(header: str | None) -> float:
    """Read `X-Request-Timeout`, in seconds; 0 where it is missing.

    Raises:
        ProblemError: It is no positive number, or over a week.
    """
    if header is None:
        return 0.0
    try:
        timeout_s = float(header)
    except ValueError:
        timeout_s = math.nan
    if not 0 < timeout_s <= _MAX_TIMEOUT_S:
        detail = f"X-Request-Timeout must be a number of seconds over 0, at most {_MAX_TIMEOUT_S:.0f}"
        raise ProblemError(HTTPStatus.BAD_REQUEST, "malformed_header", detail)
    return timeout_s


def idempotency_key_of(header: str | None) -> str:
    """Read `Idempotency-Key`, a string in quotes (RFC 9651) or the same without; empty where it is missing.

    Raises:
        ProblemError: It is empty, over 255 characters, or of others than printable ASCII.
    """
    if header is None:
        return ""
    key = header[1:-1] if len(header) > 1 and header[0] == header[-1] == '"' else header
    if not _KEY.fullmatch(key):
        detail = "Idempotency-Key must be of 1 to 255 printable ASCII characters"
        raise ProblemError(HTTPStatus.BAD_REQUEST, "malformed_header", detail)
    return key


def traceparent_of(header: str | None) -> str:
    """Read `traceparent`; one that is malformed is dropped, as W3C Trace Context asks."""
    return header if header is not None and _TRACEPARENT.fullmatch(header) else ""


def traceparent_for(trace_id: str, asked: str) -> str:
    """Give the trace context of an answer: the caller's, else one of the run's own trace, not sampled."""
    return asked or f"00-{trace_id}-{trace_id[-16:]}-00"
