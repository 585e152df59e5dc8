"""An observer that draws: when each call of a run began and ended, as text, HTML or a Mermaid Gantt chart."""

from collections.abc import Iterable
from html import escape
from typing import Self

from msgspec import Struct

from headrace.kernel.events import KernelEvent, NodeEnded, NodeFailed, NodeStarted, RunFinished, RunStarted
from headrace.ledger.values import RunState

_WIDTH = 40
_MS = 1000


class Span(Struct, frozen=True):
    """One attempt of a call.

    Attributes:
        began_s: Seconds since the run began.
        duration_s: None where it did not end: it was cut short.
        has_failed: Whether it raised or ran out of time.
    """

    node: str
    attempt: int
    began_s: float
    duration_s: float | None
    has_failed: bool


class Timeline:
    """Collects the calls of one run; of the first one that it hears of."""

    def __init__(self) -> None:
        self._trace_id = ""
        self._began_s = 0.0
        self._open: dict[tuple[str, int], NodeStarted] = {}
        self._closed: list[Span] = []
        self.status: RunState | None = None
        self.duration_s: float | None = None

    @classmethod
    def of(cls, events: Iterable[KernelEvent]) -> Self:
        """Make the timeline of a run's events."""
        timeline = cls()
        for event in events:
            timeline(event)
        return timeline

    def __call__(self, event: KernelEvent) -> None:
        """Take an event in; one of another run is passed over."""
        self._trace_id = self._trace_id or event.trace_id
        if event.trace_id != self._trace_id:
            return
        match event:
            case RunStarted():
                self._began_s = event.time
            case NodeStarted():
                self._began_s = self._began_s or event.time
                self._open[event.invocation_id, event.attempt] = event
            case NodeEnded() | NodeFailed():
                self._open.pop((event.invocation_id, event.attempt), None)
                began_s = max(event.time - event.duration_s - self._began_s, 0.0)
                failed = isinstance(event, NodeFailed)
                self._closed.append(Span(event.node, event.attempt, began_s, event.duration_s, failed))
            case RunFinished():
                self.status, self.duration_s = event.status, event.duration_s
            case _:
                pass

    @property
    def spans(self) -> list[Span]:
        """The attempts, in the order in which they began."""
        cut = [_cut(started, self._began_s) for started in self._open.values()]
        return sorted((*self._closed, *cut), key=lambda span: span.began_s)

    def text(self) -> str:
        """Draw bars of characters, a line an attempt."""
        spans = self.spans
        scale = _WIDTH / (self._whole_s(spans) or 1.0)
        width = max((len(_name(span)) for span in spans), default=0)
        lines = [f"run {self._trace_id}: {self.status or 'open'}"]
        for span in spans:
            start = min(int(span.began_s * scale), _WIDTH - 1)
            bar = "#" * max(1, min(int((span.duration_s or 0) * scale), _WIDTH - start))
            lines.append(f"{_name(span):<{width}} |{' ' * start}{bar:<{_WIDTH - start}}| {_took(span)}")
        return "\n".join(lines) + "\n"

    def mermaid(self) -> str:
        """Draw a Gantt chart, in milliseconds since the run began."""
        lines = ["gantt", f"  title run {self._trace_id}", "  dateFormat x", "  axisFormat %S.%L s"]
        for number, span in enumerate(self.spans):
            began = round(span.began_s * _MS)
            ended = max(round((span.began_s + (span.duration_s or 0)) * _MS), began + 1)
            mark = "crit, " if span.has_failed or span.duration_s is None else ""
            lines.append(f"  {_name(span)} :{mark}s{number}, {began}, {ended}")
        return "\n".join(lines) + "\n"

    def html(self) -> str:
        """Draw a page that stands alone."""
        spans = self.spans
        whole_s = self._whole_s(spans) or 1.0
        rows = "".join(_row(span, whole_s) for span in spans)
        title = escape(f"run {self._trace_id}: {self.status or 'open'}")
        return (
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
            f"<h1>{title}</h1><table>{rows}</table></html>\n"
        )

    def _whole_s(self, spans: list[Span]) -> float:
        return max((self.duration_s or 0.0, *(span.began_s + (span.duration_s or 0) for span in spans)))


_STYLE = (
    "body{font:14px sans-serif;margin:2em}table{width:100%;border-collapse:collapse}td{padding:2px 8px}"
    "td.bar{width:70%}td.bar div{background:#36c;height:14px;min-width:2px}td.bad div{background:#c33}"
)


def _cut(started: NodeStarted, began_s: float) -> Span:
    return Span(started.node, started.attempt, started.time - began_s, None, has_failed=False)


def _row(span: Span, whole_s: float) -> str:
    left, width = span.began_s / whole_s * 100, (span.duration_s or 0) / whole_s * 100
    bad = " bad" if span.has_failed or span.duration_s is None else ""
    bar = f'<td class="bar{bad}"><div style="margin-left:{left:.2f}%;width:{width:.2f}%"></div></td>'
    return f"<tr><td>{escape(_name(span))}</td>{bar}<td>{escape(_took(span))}</td></tr>"


def _name(span: Span) -> str:
    return span.node if span.attempt == 1 else f"{span.node} ({span.attempt})"


def _took(span: Span) -> str:
    if span.duration_s is None:
        return "cut short"
    return f"{span.duration_s * _MS:.1f} ms" + (", failed" if span.has_failed else "")
