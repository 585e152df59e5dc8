"""Errors as `application/problem+json` (RFC 9457): no exception text, no payload, no address of ours.

| status | code |
| --- | --- |
| 400 | `malformed_json`, `malformed_header`, `malformed_query`, `malformed_message` |
| 401 | `unauthorized` |
| 403 | `forbidden`: the caller lacks a scope |
| 404 | `unknown_pipe`, `unknown_run`, `unknown_signal`, `not_found` |
| 408 | `body_timeout` |
| 409 | `run_cancelled`, `run_ended`, `already_signalled`, `events_not_kept`, `letter_gone`, `not_redrivable` |
| 413 | `body_too_large`, `envelope_too_large` |
| 422 | `invalid_message`, `idempotency_key_reused` |
| 429 | `too_many_requests`: the body names the limit; with Retry-After |
| 500 | `run_failed` by the pipe's own code, `internal_error` |
| 502 | `run_failed` of kind `transport` or `worker_crash`, `result_unreadable`, `envelope_refused` |
| 503 | `too_many_runs`; `bus_unavailable`, `bus_full`, `bus_failed`, `keys_unavailable`; all with Retry-After |
| 503 | `run_failed` of kind `overload`; with Retry-After |
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
    EventsNotKeptError,
    Failure,
    FailureKind,
    HeadraceError,
    InvalidMessageError,
    KeyReusedError,
    ResultUnreadableError,
    RunCancelledError,
    RunError,
    RunExpiredError,
    TooManyRunsError,
    UnknownRunError,
    UnknownSignalError,
    WaitTimeoutError,
)
from headrace.wire.trace import is_trace_id

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
    (EventsNotKeptError, HTTPStatus.CONFLICT),
    (InvalidMessageError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (KeyReusedError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (TooManyRunsError, HTTPStatus.SERVICE_UNAVAILABLE),
    (ResultUnreadableError, HTTPStatus.BAD_GATEWAY),
    (EnvelopeTooLargeError, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (EnvelopeError, HTTPStatus.BAD_GATEWAY),
    (BusError, HTTPStatus.SERVICE_UNAVAILABLE),
)

_OF_A_RUN = (RunError, WaitTimeoutError, UnknownRunError, KeyReusedError, ResultUnreadableError)


class Problem(Struct, frozen=True, omit_defaults=True):
    """The body.

    Attributes:
        type: Names the code; it leads nowhere.
        failure: Why the run failed.
        limit: The setting that refused the request, empty where none did.
        limit_value: What it is.
    """

    type: str
    title: str
    status: int
    detail: str
    code: str
    trace_id: str = ""
    failure: Failure | None = None
    limit: str = ""
    limit_value: float = 0


class ProblemError(Exception):
    """Raised by a route: ends the request with a problem.

    Args:
        limit: The setting that refused the request, empty where none did.
        value: What it is.
    """

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        limit: str = "",
        value: float = 0,
    ) -> None:
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = headers
        self.limit = limit
        self.value = value
        super().__init__(detail)

    def response(self) -> Response:
        """Make the answer."""
        body = Problem(*_words(self.status, self.code, self.detail), limit=self.limit, limit_value=self.value)
        return _response(body, self.headers)


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
    return _response(Problem(*_words(status, code, detail), trace_id=trace_id, failure=failure), headers)


def problem_of(error: HeadraceError) -> Response:
    """Make the answer to an error of the library."""
    failure = error.failure if isinstance(error, RunError) else None
    trace_id = error.trace_id if isinstance(error, _OF_A_RUN) and is_trace_id(error.trace_id) else ""
    return problem(_status(error), error.code, _detail(error), trace_id=trace_id, failure=failure)


def _words(status: int, code: str, detail: str) -> tuple[str, str, int, str, str]:
    return f"urn:headrace:problem:{code}", code.replace("_", " ").capitalize(), status, detail, code


def _response(body: Problem, headers: Mapping[str, str] | None) -> Response:
    sent = {"Cache-Control": "no-store", **(headers or {})}
    if body.trace_id:
        sent[TRACE_HEADER] = body.trace_id
    if body.status == HTTPStatus.SERVICE_UNAVAILABLE:
        sent.setdefault("Retry-After", str(_RETRY_AFTER_S))
    return Response(_encode(body), body.status, sent, _MEDIA_TYPE)


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
