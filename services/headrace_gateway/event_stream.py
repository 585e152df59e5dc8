"""A run's events as server-sent events: each with its number as its id, by which any replica goes on.

A comment is sent while nothing happens. The stream ends with the run's end, or with the process, or with a `problem`.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import ExitStack, aclosing
from http import HTTPStatus

import msgspec
from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse, format_sse_event
from starlette.types import Receive, Scope, Send

from headrace.errors import HeadraceError
from headrace.runtime.following import Event
from headrace_gateway.problem import ProblemError, problem_of
from headrace_gateway.run_body import RunBody

MEDIA_TYPE = "text/event-stream"
_RECONNECT_MS = 1000
_MOST_DIGITS = 15

_encode = msgspec.json.Encoder().encode


class EventStream(EventSourceResponse):
    """Sends events as they come.

    Args:
        batches: As `Following.batches` gives them.
        accepted: The run, told first to whoever started it.
        held: Let go of when the stream ends, however it does.
    """

    def __init__(
        self,
        batches: AsyncGenerator[list[Event], None],
        *,
        headers: dict[str, str],
        accepted: RunBody | None = None,
        held: ExitStack | None = None,
    ) -> None:
        super().__init__(_chunks(batches, accepted), headers={"Cache-Control": "no-store", **headers})
        self._batches = batches
        self._held = held or ExitStack()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send; a client that goes away ends it."""
        with self._held:
            async with aclosing(self._batches):
                await super().__call__(scope, receive, send)


def is_wanted(accept: str | None) -> bool:
    """Tell whether a request asks for events, by its `Accept` header."""
    return any(part.partition(";")[0].strip().lower() == MEDIA_TYPE for part in (accept or "").split(","))


def place_of(header: str | None) -> int:
    """Read `Last-Event-ID`; 0 where it is missing.

    Raises:
        ProblemError: It is none of ours.
    """
    if not header:
        return 0
    if not (header.isascii() and header.isdigit() and len(header) <= _MOST_DIGITS):
        raise ProblemError(HTTPStatus.BAD_REQUEST, "malformed_header", "Last-Event-ID must be the id of an event")
    return int(header)


async def _chunks(batches: AsyncIterator[list[Event]], accepted: RunBody | None) -> AsyncGenerator[bytes, None]:
    if accepted is not None:
        data = _encode(accepted).decode()
        yield format_sse_event(event="accepted", data_str=data, id="0", retry=_RECONNECT_MS)
    try:
        async for batch in batches:
            yield _formatted(batch)
    except HeadraceError as error:  # the status has been sent, so the problem is told as an event
        yield format_sse_event(event="problem", data_str=bytes(problem_of(error).body).decode())


def _formatted(batch: Sequence[Event]) -> bytes:
    if not batch:
        return KEEPALIVE_COMMENT
    return b"".join(
        format_sse_event(event=event.kind, data_str=_encode(event).decode(), id=str(event.seq)) for event in batch
    )
