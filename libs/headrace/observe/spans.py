"""Spans of OpenTelemetry, by its conventions for messaging, sent to a collector; the one module that knows its library.

| span | kind | from, until |
| --- | --- | --- |
| `POST /v1/pipes/<pipe>` | server | a request comes, its answer is made |
| `message /v1/pipes/<pipe>/ws` | server | a message comes over a WebSocket, its run is started |
| `send <pipe>` | producer | a request comes, its run is started |
| `receive <group's stream>` | client | a read is asked for, it has brought entries; a trace of its own |
| `process <group's stream>` | consumer | a hop begins, it is to be committed |
| `<node>` | internal | one call of a node |
| `send <stream>` | producer | what a hop sent to one group: as its commit |
| `settle <stream>` | client | the bus is asked to commit a hop, and has answered |
| `process replies` | consumer | a run's end is read, it is delivered |

Each carries the trace_id of its run. None carries a payload, or the text of an exception.
"""

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from msgspec import structs
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from headrace.errors import EnvelopeError
from headrace.kernel.events import KernelEvent, NodeEnded, NodeFailed
from headrace.kernel.work import Work
from headrace.ledger.terminal import traceparent_of
from headrace.ledger.values import (
    Answer,
    Arrive,
    Commit,
    Delivery,
    Emit,
    Enqueue,
    Output,
    RunState,
    Submission,
    TerminalEvent,
)

_NS = 1_000_000_000
_SYSTEM = "headrace"
_UNSETTLED = 4096  # hops that are known until their commit: more than a worker has slots
_SEND_S = 2.0  # a collector that is away must not hold up a stop
_W3C = TraceContextTextMapPropagator()
_publishing: ContextVar[Span | None] = ContextVar("headrace_publishing", default=None)


class Spans:
    """Traces one process; as `headrace.observe.traces.Traces`.

    Args:
        endpoint: The collector's URL, without a path.
        service: The service's name. What else there is to set is taken from OpenTelemetry's own variables.
    """

    def __init__(self, endpoint: str, service: str) -> None:
        exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=_SEND_S)
        self._provider = TracerProvider(resource=Resource.create({"service.name": f"headrace-{service}"}))
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("headrace")
        self._reads: OrderedDict[tuple[int, str], SpanContext] = OrderedDict()
        self._hops: OrderedDict[tuple[int, str], list[Span]] = OrderedDict()

    @contextmanager
    def request(self, name: str, pipe: str, traceparent: str) -> Generator[str]:
        """See a caller's request, and what it publishes."""
        with self._tracer.start_as_current_span(
            name, _context(traceparent), SpanKind.SERVER, record_exception=False, set_status_on_exception=False
        ):
            span = self._tracer.start_span(f"send {pipe}", None, SpanKind.PRODUCER, _about("send", pipe))
            token = _publishing.set(span)
            try:
                yield _traceparent(span)
            finally:
                _publishing.reset(token)
                span.end()  # once more is ignored: here where nothing was started

    def published(self, submission: Submission) -> None:
        """See a run started."""
        span = _publishing.get()
        if span is not None and span.is_recording():
            span.set_attributes(_of_run(submission.trace_id))
            span.end()

    def received(self, stream: str, deliveries: Sequence[Delivery], took_s: float) -> None:
        """See a read of a group's stream that brought something, of many runs perhaps: their hops link to it."""
        end_ns = time.time_ns()
        about = {**_about("receive", stream), "messaging.batch.message_count": len(deliveries)}
        start_ns = end_ns - int(took_s * _NS)
        span = self._tracer.start_span(f"receive {stream}", Context(), SpanKind.CLIENT, about, None, start_ns)
        span.end(end_ns)
        for delivery in deliveries:
            self._reads[delivery.partition, delivery.id] = span.get_span_context()
        while len(self._reads) > _UNSETTLED:  # those that were never begun
            self._reads.popitem(last=False)

    @contextmanager
    def hop(self, work: Work, delivery: Delivery, /) -> Generator[Work]:
        """See a hop: nodes run in its context, and what they send descends from it."""
        headers = work.headers
        stream = f"{headers.pipe}.{work.node.group}"
        about: dict[str, str | int] = {
            **_about("process", stream),
            **_of_run(headers.trace_id),
            "messaging.message.id": headers.id,
            "headrace.node": headers.node,
            "headrace.attempt": headers.attempt,
            "headrace.deliveries": delivery.deliveries,
        }
        key = (delivery.partition, delivery.id)
        read = self._reads.get(key)  # of a lane's delivery, which has several hops, more than once
        links = [Link(read)] if read is not None else None
        context = _context(headers.traceparent)
        span = self._tracer.start_span(f"process {stream}", context, SpanKind.CONSUMER, about, links)
        self._keep(key, span)
        with trace.use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
            yield structs.replace(work, headers=structs.replace(headers, traceparent=_traceparent(span)))

    def __call__(self, event: KernelEvent) -> None:
        """See a node's call end."""
        if not isinstance(event, NodeEnded | NodeFailed):
            return
        end_ns = time.time_ns()
        about: dict[str, str | int] = {**_of_run(event.trace_id), "headrace.attempt": event.attempt}
        span = self._tracer.start_span(event.node, attributes=about, start_time=end_ns - int(event.duration_s * _NS))
        if isinstance(event, NodeFailed):
            span.set_status(StatusCode.ERROR, event.failure.kind)
            span.set_attribute("error.type", event.failure.kind)
        span.end(end_ns)

    def committed(self, stream: str, commit: Commit, answers: Sequence[Answer], took_s: float) -> None:
        """See a hop's commit answered."""
        self._reads.pop((commit.partition, commit.delivery_id), None)
        spans = self._hops.pop((commit.partition, commit.delivery_id), [])
        end_ns = time.time_ns()
        start_ns = end_ns - int(took_s * _NS)
        for span, settled, answer in zip(spans, commit.settled, answers, strict=False):  # of a lane maybe a prefix
            context = trace.set_span_in_context(span)
            run = _of_run(settled.trace_id)
            for target, count in _targets(settled.outputs).items():
                about = {**_about("send", target), **run, "messaging.batch.message_count": count}
                self._tracer.start_span(f"send {target}", context, SpanKind.PRODUCER, about, None, start_ns).end(end_ns)
            about = {**_about("settle", stream), **run, "headrace.answer": answer}
            settle = self._tracer.start_span(f"settle {stream}", context, SpanKind.CLIENT, about, None, start_ns)
            if settled.terminal is not None and settled.terminal.state is not RunState.COMPLETED:
                settle.set_status(StatusCode.ERROR, settled.terminal.state)
            settle.end(end_ns)

    def replied(self, event: TerminalEvent, inboxes: Sequence[str], took_s: float) -> None:
        """See a run's end delivered; one that carries no trace context, as what no hop ended, is of no trace."""
        try:
            traceparent = traceparent_of(event.terminal)
        except EnvelopeError:
            return
        if not traceparent:
            return
        end_ns = time.time_ns()
        start_ns = end_ns - int(took_s * _NS)
        about = {**_about("process", "replies"), **_of_run(event.trace_id), "headrace.waiters": len(inboxes)}
        span = self._tracer.start_span(
            "process replies", _context(traceparent), SpanKind.CONSUMER, about, None, start_ns
        )
        span.end(end_ns)

    async def aclose(self) -> None:
        """Send what was not sent yet."""
        await asyncio.to_thread(self._provider.shutdown)

    def _keep(self, key: tuple[int, str], span: Span) -> None:
        self._hops.setdefault(key, []).append(span)
        if len(self._hops) > _UNSETTLED:  # of hops that were never committed, as of a crash
            self._hops.popitem(last=False)


def _context(traceparent: str) -> Context:
    return _W3C.extract({"traceparent": traceparent} if traceparent else {}, Context())


def _traceparent(span: Span) -> str:
    carrier: dict[str, str] = {}
    _W3C.inject(carrier, trace.set_span_in_context(span))
    return carrier["traceparent"]


def _about(operation: str, destination: str) -> dict[str, str | int]:
    return {
        "messaging.system": _SYSTEM,
        "messaging.operation.type": operation,
        "messaging.operation.name": operation,
        "messaging.destination.name": destination,
    }


def _of_run(trace_id: str) -> Mapping[str, str]:
    return {"messaging.message.conversation_id": trace_id}


def _targets(outputs: Iterable[Output]) -> Counter[str]:
    """Count messages by the stream that they go to; what brings the same work back is none."""
    targets = Counter[str]()
    for output in outputs:
        if isinstance(output, Emit | Enqueue):
            targets[output.group] += 1
        elif isinstance(output, Arrive):
            targets[output.join.group] += 1
    return targets
