"""An observer that logs: one line an event, the event's name as the log's event, without payloads.

| event | level | fields |
| --- | --- | --- |
| `node_failed`, `run_timed_out`, `run_cancelled`, `run_finished` unless completed | warning | as below, and failure |
| `emitted` | debug | as below, without its value |
| all others | info | trace_id, node, group, attempt, seq, and the event's own but for payload |
"""

import logging
import re

import structlog
from msgspec import structs

from headrace.kernel.events import Emitted, KernelEvent, NodeFailed, RunCancelled, RunFinished, RunTimedOut
from headrace.ledger.values import RunState

_BASE = frozenset(structs.asdict(KernelEvent("")))
_PAYLOAD = frozenset({"value", "result", "metrics", "failures"})
_WORD = re.compile(r"(?<!^)(?=[A-Z])")


class LogObserver:
    """Logs events with structlog, as the process has configured it."""

    def __init__(self) -> None:
        self._log = structlog.get_logger("headrace.run")

    def __call__(self, event: KernelEvent) -> None:
        """Log an event."""
        own = {name: _plain(value) for name, value in structs.asdict(event).items() if name not in _BASE | _PAYLOAD}
        known = {"trace_id": event.trace_id, "node": event.node, "group": event.group, "attempt": event.attempt}
        fields = {name: value for name, value in {**known, **own}.items() if value not in ("", None)}
        self._log.log(_level(event), _WORD.sub("_", type(event).__name__).lower(), seq=event.seq, **fields)


def _level(event: KernelEvent) -> int:
    is_bad = isinstance(event, NodeFailed | RunTimedOut | RunCancelled) or (
        isinstance(event, RunFinished) and event.status is not RunState.COMPLETED
    )
    if is_bad:
        return logging.WARNING
    return logging.DEBUG if isinstance(event, Emitted) else logging.INFO


def _plain(value: object) -> object:
    return value if isinstance(value, int | float | str | None) else str(value)
