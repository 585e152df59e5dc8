"""Errors as `application/problem+json` (RFC 9457): no exception text, no payload, no address of ours.

| status | code |
| --- | --- |
| 400 | `malformed_json`, `malformed_header`, `malformed_query` |
| 404 | `unknown_pipe`, `unknown_run`, `unknown_signal`, `not_found` |
| 409 | `run_cancelled`, `run_ended`, `already_signalled` |
| 413 | `body_too_large`, `envelope_too_large` |
| 422 | `invalid_message` |
| 500 | `run_failed` by the pipe's own code, `internal_error` |
| 502 | `run_failed` of kind `transport` or `worker_crash`, `envelope_refused` |
| 503 | `bus_unavailable`, `bus_failed`, and `run_failed` of kind `overload`; with Retry-After |
| 504 | `wait_timeout`: the run goes on; `run_expired`: its deadline passed |
"""

from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from fastapi import Response
from msgspec import Struct

from headrace.errors import (
    BusError,
    EnvelopeError,
    EnvelopeTooLargeError,
    Failure,
    FailureKind,
    HeadraceError,
    InvalidMessageError,
    RunCancelledError,
    RunError,
    RunExpiredError,
    UnknownRunError,
    UnknownSignalError,
    WaitTimeoutError,
)

TRACE_HEADER = "X-Trace-Id"
_MEDIA_TYPE = "application/problem+json"
_RETRY_AFTER_S = 1
_STATUS_OF_KIND = {
    FailureKind.TRANSPORT: HTTPStatus.BAD_GATEWAY,
    FailureKind.WORKER_CRASH: HTTPStatus.BAD_GATEWAY,
    FailureKind.OVERLOAD: HTTPStatus.SERVICE_UNAVAILABLE,
}
_STATUS_OF_ERROR: tuple[tuple[type[HeadraceError], HTTPStatus], ...] = (  # the first that fits
    (RunCancelledError, HTTPStatus.CONFLICT),
    (RunExpiredError, HTTPStatus.GATEWAY_TIMEOUT),
    (WaitTimeoutError, HTTPStatus.GATEWAY_TIMEOUT),
    (UnknownRunError, HTTPStatus.NOT_FOUND),
    (UnknownSignalError, HTTPStatus.NOT_FOUND),
    (InvalidMessageError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (EnvelopeTooLargeError, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (EnvelopeError, HTTPStatus.BAD_GATEWAY),
    (BusError, HTTPStatus.SERVICE_UNAVAILABLE),
)


class Problem(Struct, frozen=True, omit_defaults=True):
    """The body.

    Attributes:
        type: Names the code; it leads nowhere.
        failure: Why the run failed.
    """

    type: str
    title: str
    status: int
    detail: str
    code: str
    trace_id: str = ""
    failure: Failure | None = None


class ProblemError(Exception):
    """Raised by a route: ends the request with a problem."""

    def __init__(self, status: HTTPStatus, code: str, detail: str) -> None:
        self.status = status
        self.code = code
        self.detail = detail
        super().__init__(detail)


_encode = msgspec.json.Encoder().encode


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    trace_id: str = "",
    failure: Failure | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Make the answer; trace_id stands in its header, too."""
    body = Problem(
        type=f"urn:headrace:problem:{code}",
        title=code.replace("_", " ").capitalize(),
        status=status,
        detail=detail,
        code=code,
        trace_id=trace_id,
        failure=failure,
    )
    sent = dict(headers or {})
    if trace_id:
        sent[TRACE_HEADER] = trace_id
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        sent["Retry-After"] = str(_RETRY_AFTER_S)
    return Response(_encode(body), status, sent, _MEDIA_TYPE)


def problem_of(error: HeadraceError) -> Response:
    """Make the answer to an error of the library."""
    failure = error.failure if isinstance(error, RunError) else None
    trace_id = error.trace_id if isinstance(error, RunError | WaitTimeoutError | UnknownRunError) else ""
    return problem(_status(error), error.code, _detail(error), trace_id=trace_id, failure=failure)


def _status(error: HeadraceError) -> HTTPStatus:
    for kind, status in _STATUS_OF_ERROR:
        if isinstance(error, kind):
            return status
    if isinstance(error, RunError):
        return _STATUS_OF_KIND.get(error.failure.kind, HTTPStatus.INTERNAL_SERVER_ERROR)
    return HTTPStatus.INTERNAL_SERVER_ERROR


def _detail(error: HeadraceError) -> str:
    if isinstance(error, BusError):
        return "the bus cannot be reached or refused the request; what was asked may or may not have happened"
    return str(error)
