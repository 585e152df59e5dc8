"""One line in, one line out: input lines to messages, terminals to output lines."""

from collections.abc import Callable, Iterable, Iterator

import msgspec
from msgspec import Struct

from headrace.errors import FailureKind, FailureSource, HeadraceError, InvalidMessageError, RunError
from headrace.graph.plan import ExecutionPlan
from headrace.ledger.values import Terminal
from headrace.runtime.client import Client, unreadable

EMPTY_RESULT = b"null"


class LineError(Struct, frozen=True, omit_defaults=True):
    """What stands in the output in place of a result."""

    code: str
    kind: FailureKind | None = None
    source: FailureSource | None = None
    node: str = ""
    group: str = ""
    error: str = ""
    detail: str = ""
    trace_id: str = ""


class _ErrorLine(Struct, frozen=True):
    error: LineError


_encode = msgspec.json.Encoder().encode


def messages_of(plan: ExecutionPlan, lines: Iterable[bytes]) -> Iterator[object]:
    """Read every line as an entry message of the plan; one that is none becomes the terminal that says so."""
    read = line_reader(plan)
    for line in lines:
        try:
            yield read(line)
        except InvalidMessageError as error:
            yield unreadable(str(error))
        except Exception as error:  # noqa: BLE001 - the user's reader; what it says may hold the line
            yield unreadable(f"the line cannot be read: {type(error).__name__}")


def line_reader(plan: ExecutionPlan) -> Callable[[bytes], object]:
    """Give what makes a message of one line: the plan's own reader, else JSON of the entry type."""
    own = plan.read_line
    if own is not None:
        return lambda line: own(line.rstrip(b"\r\n").decode(errors="replace"))
    return plan.codecs[plan.entry_type].from_json


def answer_line(client: Client, trace_id: str, terminal: Terminal) -> tuple[bytes, bool]:
    """Give the output line of a terminal, without its line end, and whether it is a result."""
    try:
        return client.result_json(trace_id, terminal) or EMPTY_RESULT, True
    except HeadraceError as error:
        return error_line(error, trace_id), False


def error_line(error: HeadraceError, trace_id: str) -> bytes:
    """Give the output line of a run that has no result."""
    if not isinstance(error, RunError):
        return _encode(_ErrorLine(LineError(error.code, trace_id=trace_id)))
    failure = error.failure
    code = failure.kind if failure.kind is FailureKind.INVALID_MESSAGE else error.code
    return _encode(
        _ErrorLine(
            LineError(
                code=code,
                kind=failure.kind,
                source=failure.source,
                node=failure.node,
                group=failure.group,
                error=failure.error,
                detail=failure.detail,
                trace_id=trace_id,
            )
        )
    )
