"""What a hop tells of itself to those who follow its run: its commit keeps it, and of a long hop the bus before that.

A hop's events are numbered by call, so telling again what may have been kept keeps it once.
"""

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import groupby
from operator import itemgetter
from typing import Any, Protocol

import msgspec
import structlog
from msgspec import structs
from pydantic import BaseModel

from headrace.kernel.events import Emitted, KernelEvent, NodeEnded, NodeFailed, NodeStarted, Suspended
from headrace.ledger import events
from headrace.ledger.events import CallEvent
from headrace.ledger.told import Told
from headrace.ledger.values import Delivery

MAX_VALUE_BYTES = 32 * 1024  # of one emitted value: progress or a token, no payload
MAX_UNTOLD = 10_000  # as many as a run's record keeps; a bus that is away must not fill this process
_MS = 1000
_KINDS: dict[type[KernelEvent], str] = {
    NodeStarted: "node_started",
    NodeEnded: "node_ended",
    NodeFailed: "node_failed",
    Emitted: "emitted",
    Suspended: "suspended",
}
_log = structlog.get_logger("headrace.kernel")


class Telling:
    """Collects the events of one hop.

    Args:
        delivery: Of which it is a hop.
        worker: That it is on.
        wake: Called when there is something to tell.
    """

    def __init__(self, trace_id: str, delivery: Delivery, worker: str, wake: Callable[[], None]) -> None:
        self._trace_id = trace_id
        self._delivery = delivery
        self._worker = worker
        self._turn = delivery.turn
        self._wake = wake
        self._has_begun = False
        self._counts: Counter[str] = Counter()
        self._untold: list[tuple[str, int, bytes]] = []
        self._dropped = 0

    def observe(self, event: KernelEvent) -> None:
        """Collect an event; of what nodes emit, no more than `MAX_UNTOLD` wait."""
        kind = _KINDS.get(type(event))
        if kind is None:
            return
        if isinstance(event, Emitted) and len(self._untold) >= MAX_UNTOLD:
            self._drop()
            return
        call, told = event.invocation_id, _call_event(kind, event)
        if not self._has_begun and isinstance(event, NodeStarted):
            self._has_begun = True
            told = self._begun(told)
        self._untold.append((call, self._counts[call], events.encode(told)))
        self._counts[call] += 1
        self._wake()

    def untold(self) -> tuple[Told, ...]:
        """Give what is yet to be told, in order."""
        series = [list(events) for _, events in groupby(self._untold, key=itemgetter(0))]
        return tuple(
            Told(self._trace_id, one[0][0], self._turn, one[0][1], tuple(blob for _, _, blob in one)) for one in series
        )

    def was_told(self, told: tuple[Told, ...]) -> None:
        """Note that what `untold` gave has been kept."""
        del self._untold[: sum(len(one.events) for one in told)]

    def _begun(self, told: CallEvent) -> CallEvent:
        queued_s = max(told.time - self._delivery.since_ms / _MS, 0.0)
        return structs.replace(told, worker=self._worker, deliveries=self._delivery.deliveries, queued_s=queued_s)

    def _drop(self) -> None:
        self._dropped += 1
        if self._dropped == 1:
            _log.warning("events_dropped", trace_id=self._trace_id, waiting=len(self._untold))


class Tells(Protocol):
    """Tells what long hops have to tell before they end."""

    def telling(self, trace_id: str, delivery: Delivery, worker: str) -> AbstractContextManager[Telling]:
        """Collect a hop's events; what is untold when the context closes is its commit's to tell.

        Args:
            delivery: Of which it is a hop.
            worker: That it is on.
        """
        ...


def _call_event(kind: str, event: KernelEvent) -> CallEvent:
    value, unsent = _json(event.value) if isinstance(event, Emitted) else (b"", "")
    return CallEvent(
        kind,
        event.time,
        event.node,
        event.group,
        event.invocation_id,
        event.origin_run_id or event.trace_id,
        event.attempt,
        value,
        unsent,
        duration_s=event.duration_s if isinstance(event, NodeEnded | NodeFailed) else None,
        outputs=event.outputs if isinstance(event, NodeEnded) else None,
        failure=event.failure if isinstance(event, NodeFailed) else None,
        retry_in_s=event.retry_in_s if isinstance(event, NodeFailed) else None,
        until=event.until if isinstance(event, Suspended) else "",
    )


def _json(value: object) -> tuple[bytes, str]:
    """Give a value's JSON, or the name of its type where it has none that may be kept."""
    try:
        encoded = msgspec.json.encode(value, enc_hook=_plain)
    except (TypeError, ValueError, RecursionError):
        return b"", type(value).__name__
    return (encoded, "") if len(encoded) <= MAX_VALUE_BYTES else (b"", type(value).__name__)


def _plain(value: object) -> Any:  # noqa: ANN401 - what msgspec can encode
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(type(value).__name__)
