"""Classifies what went wrong in a node into the words of `errors.FailureKind` and `errors.FailureSource`."""

import asyncio
from collections.abc import Callable, Iterable

import structlog
from anyio import get_cancelled_exc_class
from msgspec import structs

from headrace.errors import BusError, Failure, FailureKind, FailureSource, InvalidMessageError, TaskCrashedError
from headrace.graph.function_names import name_of
from headrace.kernel.cancellation import is_among, was_cancelled

Classifier = Callable[[Exception, Failure], FailureKind | FailureSource | None]
"""A user's: is given an exception and the failure that it would be; says what kind it is, or whose fault, or None."""

_log = structlog.get_logger("headrace.kernel")

_EXTERNAL: tuple[type[BaseException], ...] = (ConnectionError, TimeoutError, OSError)


class NodeTimeoutError(TimeoutError):
    """A node's call took longer than its `timeout`."""


class NodeCancelledError(Exception):
    """A node's call, or a hook, ended with a cancellation that nobody had asked of it: of a task it waited for."""


class NodeExitedError(Exception):
    """A node's call raised what is no error, as `sys.exit` does; its process goes on, for it serves others too."""


class NoRouteError(Exception):
    """A node gave an output that its plan has no route for."""


class SuspendError(Exception):
    """A node suspended itself for a signal that nothing could resume it with, or would have blocked its key's lane."""


class TooManyVisitsError(Exception):
    """A loop went round more often than its `max_visits`."""


_TABLE: tuple[tuple[type[BaseException], FailureKind, FailureSource], ...] = (
    (NodeTimeoutError, FailureKind.TIMEOUT, FailureSource.USER_CODE),
    (NoRouteError, FailureKind.NO_ROUTE, FailureSource.USER_CODE),
    (SuspendError, FailureKind.NO_ROUTE, FailureSource.USER_CODE),
    (InvalidMessageError, FailureKind.INVALID_MESSAGE, FailureSource.USER_CODE),
    (TaskCrashedError, FailureKind.WORKER_CRASH, FailureSource.PLATFORM),
    (BusError, FailureKind.TRANSPORT, FailureSource.PLATFORM),
)


def classify(
    error: Exception, *, node: str, group: str, shows_detail: bool, classifiers: Iterable[Classifier] = ()
) -> Failure:
    """Make the failure of a node's call.

    Args:
        shows_detail: Whether the exception's text goes into the failure; it may hold payload, so it is off by default.
        classifiers: Asked in order, each about what the one before made of it; one that raises has no say.
    """
    kind, source = _kind_and_source(error)
    detail = _text_of(error) if shows_detail else ""
    failure = Failure(kind, source, node, group, type(error).__name__, detail)
    for classifier in classifiers:
        try:
            match classifier(error, failure):
                case FailureKind() as said:
                    failure = structs.replace(failure, kind=said)
                case FailureSource() as said:
                    failure = structs.replace(failure, source=said)
                case None:
                    pass
        except Exception as raised:  # noqa: BLE001 - a classifier's error must not hide the failure
            _log.warning("classifier_failed", classifier=name_of(classifier), error=type(raised).__name__)
    return failure


def as_failure(raised: BaseException) -> Exception | None:
    """Tell what a node's call failed with; None for what is for others: interrupts, and cancellations of this task.

    A cancellation that nobody asked of this task came out of what the node waited for.
    """
    if isinstance(raised, Exception):
        return raised
    if is_among(raised, (KeyboardInterrupt, GeneratorExit)):
        return None
    cancelled = get_cancelled_exc_class()
    is_own = cancelled is asyncio.CancelledError and not was_cancelled()  # trio's comes of no other task
    if not is_own and is_among(raised, cancelled):
        return None
    if isinstance(raised, asyncio.CancelledError):
        return NodeCancelledError()
    exited = NodeExitedError(type(raised).__name__)
    exited.__cause__ = raised
    return exited


def _text_of(error: Exception) -> str:
    try:
        return str(error)
    except Exception as raised:  # noqa: BLE001 - a user's `__str__`
        return f"its text raises {type(raised).__name__}"


def _kind_and_source(error: BaseException) -> tuple[FailureKind, FailureSource]:
    for error_type, kind, source in _TABLE:
        if isinstance(error, error_type):
            return kind, source
    if isinstance(error, _EXTERNAL):
        return FailureKind.STEP, FailureSource.EXTERNAL_DEP
    return FailureKind.STEP, FailureSource.USER_CODE
