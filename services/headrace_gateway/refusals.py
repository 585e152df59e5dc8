"""The answers to requests that are not taken: who asks is not known, may not, or asks too much for now."""

from collections.abc import Sequence
from http import HTTPStatus

from headrace_gateway.problem import ProblemError

_REALM = 'realm="headrace"'


def unauthorized(schemes: Sequence[str], detail: str, *, is_invalid: bool = False) -> ProblemError:
    """Make the answer to a request that nobody known has made.

    Args:
        schemes: What credentials there are, as WWW-Authenticate names them.
        is_invalid: Credentials came, but are not good (RFC 6750).
    """
    error = ', error="invalid_token"' if is_invalid else ""
    challenge = ", ".join(f"{scheme} {_REALM}{error}" for scheme in schemes)
    return ProblemError(HTTPStatus.UNAUTHORIZED, "unauthorized", detail, headers={"WWW-Authenticate": challenge})


def forbidden(scope: str) -> ProblemError:
    """Make the answer to a request whose caller lacks a scope."""
    challenge = f'Bearer {_REALM}, error="insufficient_scope", scope="{scope}"'
    detail = f"this needs the scope '{scope}'"
    return ProblemError(HTTPStatus.FORBIDDEN, "forbidden", detail, headers={"WWW-Authenticate": challenge})


def malformed_message(detail: str) -> ProblemError:
    """Make the answer to a WebSocket's message that cannot be dealt with."""
    return ProblemError(HTTPStatus.BAD_REQUEST, "malformed_message", detail)


def unavailable(code: str, detail: str) -> ProblemError:
    """Make the answer to a request that cannot be dealt with now."""
    return ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, code, detail)


def over_limit(limit: str, value: float, detail: str, *, retry_after_s: int) -> ProblemError:
    """Make the answer to a request of a caller, or an endpoint, with too many; nothing of it was done."""
    headers = {"Retry-After": str(retry_after_s)}
    return ProblemError(
        HTTPStatus.TOO_MANY_REQUESTS, "too_many_requests", detail, headers=headers, limit=limit, value=value
    )


def too_many_runs(limit: str, value: int, detail: str, *, retry_after_s: int) -> ProblemError:
    """Make the answer to a run that is one too many; nothing of it was done."""
    headers = {"Retry-After": str(retry_after_s)}
    return ProblemError(
        HTTPStatus.SERVICE_UNAVAILABLE, "too_many_runs", detail, headers=headers, limit=limit, value=value
    )
