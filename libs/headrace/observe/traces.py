"""Who is told of messages as they go through a service, to trace them; where nobody is, each tells nobody.

The spans themselves are `headrace.observe.spans`, which only those load who have asked for traces.
"""

import importlib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from headrace.errors import SettingsError
from headrace.kernel.events import KernelEvent
from headrace.kernel.work import Work
from headrace.ledger.values import Answer, Commit, Delivery, Submission, TerminalEvent


class Traces(Protocol):
    """Traces messages through one process; a witness of hops, and an observer of events, too."""

    def __call__(self, event: KernelEvent) -> None:
        """See a node's call end."""
        ...

    def hop(self, work: Work, delivery: Delivery, /) -> AbstractContextManager[Work]:
        """See a hop, as `kernel.witness.Witness`: its outputs descend from its span."""
        ...

    def request(self, name: str, pipe: str, traceparent: str) -> AbstractContextManager[str]:
        """See a caller's request; gives the trace context that its run is to have.

        Args:
            pipe: Whose run it starts.
            traceparent: The caller's, empty for none.
        """
        ...

    def published(self, submission: Submission) -> None:
        """See a run started."""
        ...

    def received(self, stream: str, deliveries: Sequence[Delivery], took_s: float) -> None:
        """See a read of a group's stream that brought something."""
        ...

    def committed(self, stream: str, commit: Commit, answers: Sequence[Answer], took_s: float) -> None:
        """See a hop's commit answered."""
        ...

    def replied(self, event: TerminalEvent, inboxes: Sequence[str], took_s: float) -> None:
        """See a run's end delivered to those who wait."""
        ...

    async def aclose(self) -> None:
        """Send what was not sent yet, as far as that can be done in a few seconds; idempotent."""
        ...


def open_traces(endpoint: str | None, service: str) -> Traces | None:
    """Make the traces of a service; None where none are asked for.

    Args:
        endpoint: The URL of an OTLP collector, over HTTP.

    Raises:
        SettingsError: OpenTelemetry is not installed.
    """
    if endpoint is None:
        return None
    try:
        spans = importlib.import_module("headrace.observe.spans")
    except ModuleNotFoundError as error:
        raise SettingsError("otlp_endpoint", f"is set, and '{error.name}' is not installed: headrace[otel]") from error
    traces: Traces = spans.Spans(endpoint, service)
    return traces
