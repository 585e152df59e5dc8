"""Terminal blobs: how a result or a failure stands in a run's record and in its terminal event. Pure."""

from functools import lru_cache

import msgspec
from msgspec import Struct

from headrace.errors import (
    EnvelopeError,
    Failure,
    FailureKind,
    FailureSource,
    RunCancelledError,
    RunError,
    RunExpiredError,
    RunFailedError,
)
from headrace.ledger.values import RunState, Terminal


class Result(Struct, frozen=True, array_like=True, omit_defaults=True):
    """A run's result: the terminal output's type name and body; both empty where the run drained without one.

    Attributes:
        traceparent: W3C trace context of the hop that gave it, empty where there is none.
    """

    type: str = ""
    body: bytes = b""
    traceparent: str = ""


class _Ending(Struct, frozen=True, array_like=True, omit_defaults=True):
    """Why a run ended without a result; `traceparent` as a result's."""

    failure: Failure
    traceparent: str = ""


_encode = msgspec.msgpack.Encoder().encode
_decode_result = msgspec.msgpack.Decoder(Result).decode
_decode_ending = msgspec.msgpack.Decoder(_Ending).decode


def completed(type_name: str, body: bytes, traceparent: str = "") -> Terminal:
    """Make the terminal of a run that completed with an output."""
    return Terminal(RunState.COMPLETED, _encode(Result(type_name, body, traceparent)))


def ended(state: RunState, failure: Failure, traceparent: str = "") -> Terminal:
    """Make the terminal of a run that ended without a result."""
    return Terminal(state, _encode(_Ending(failure, traceparent)))


def cancelled() -> Terminal:
    """Make the terminal of a run that its caller cancelled."""
    return ended(RunState.CANCELLED, Failure(FailureKind.CANCELLED, FailureSource.USER_CODE))


@lru_cache(maxsize=4096)
def starved(node: str, group: str) -> Terminal:
    """Make the terminal of a run of which a join can no longer be fed.

    Args:
        group: The join's stream.
    """
    failure = Failure(FailureKind.JOIN_STARVED, FailureSource.USER_CODE, node, group.partition(".")[2])
    return ended(RunState.FAILED, failure)


@lru_cache(maxsize=4096)
def timed_out(node: str, group: str) -> Terminal:
    """Make the terminal of a run of which a join has waited too long; `group` as above."""
    failure = Failure(FailureKind.BARRIER_TIMEOUT, FailureSource.USER_CODE, node, group.partition(".")[2])
    return ended(RunState.FAILED, failure)


STARVED = ended(RunState.FAILED, Failure(FailureKind.JOIN_STARVED, FailureSource.USER_CODE))
"""The terminal of a run in which all that is left waits at joins, which one version of a plan does not let happen."""

EXPIRED = ended(RunState.EXPIRED, Failure(FailureKind.DEADLINE, FailureSource.USER_CODE))
"""The terminal of a run whose deadline passed while nothing of it was running."""

_ERRORS: dict[RunState, type[RunError]] = {
    RunState.FAILED: RunFailedError,
    RunState.CANCELLED: RunCancelledError,
    RunState.EXPIRED: RunExpiredError,
}


def result_of(terminal: Terminal) -> Result:
    """Read the result of a completed run.

    Raises:
        EnvelopeError: The blob is not one of ours.
    """
    try:
        return _decode_result(terminal.blob) if terminal.blob else Result()
    except msgspec.MsgspecError as error:
        raise EnvelopeError("a run's result cannot be decoded") from error


def failure_of(terminal: Terminal) -> Failure:
    """Read why a run ended without a result; raises as `result_of`."""
    return _ending_of(terminal).failure


def traceparent_of(terminal: Terminal) -> str:
    """Read the W3C trace context of the hop that ended a run, empty where there is none; raises as `result_of`."""
    return (result_of(terminal) if terminal.state is RunState.COMPLETED else _ending_of(terminal)).traceparent


def raise_unless_completed(trace_id: str, terminal: Terminal) -> Result:
    """Give the result of a completed run.

    Raises:
        RunFailedError, RunCancelledError, RunExpiredError: The run ended otherwise.
        EnvelopeError: The blob is not one of ours.
    """
    error = _ERRORS.get(terminal.state)
    if error is not None:
        raise error(trace_id, failure_of(terminal))
    return result_of(terminal)


def _ending_of(terminal: Terminal) -> _Ending:
    try:
        return _decode_ending(terminal.blob)
    except msgspec.MsgspecError as error:
        raise EnvelopeError("a run's failure cannot be decoded") from error
