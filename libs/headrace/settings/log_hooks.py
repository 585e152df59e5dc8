"""Hooks into the log: functions that see every event that this process logs, after its level let it pass.

For counting, alarms and tests. A hook gets a copy, one level deep; one that raises is told of in the log once,
and neither the event nor the other hooks suffer. What a hook logs itself goes to the log and to no hook.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger

from headrace.graph.function_names import name_of

Hook = Callable[[Mapping[str, Any]], object]

_log = structlog.get_logger("headrace.logs")
_is_calling: ContextVar[bool] = ContextVar("headrace_calls_log_hooks", default=False)
_hooks: list["LogHook"] = []


class LogHook:
    """A hook that is in place until it is removed; also a context manager that removes it."""

    def __init__(self, hook: Hook) -> None:
        self._hook = hook
        self._has_failed = False

    def __enter__(self) -> "LogHook":
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def remove(self) -> None:
        """Take it out; idempotent, and allowed from within a hook."""
        if self in _hooks:
            _hooks.remove(self)

    def call(self, event: Mapping[str, Any]) -> None:
        """Call it with a copy of an event; an error of its own is told of once."""
        try:
            self._hook(dict(event))
        except (Exception, asyncio.CancelledError, structlog.DropEvent) as error:  # noqa: BLE001 - a hook's error is its own
            if not self._has_failed:
                self._has_failed = True
                _log.warning("log_hook_failed", hook=name_of(self._hook), error=type(error).__name__)


def add_log_hook(hook: Hook) -> LogHook:
    """Have a function called with each event, in the thread that logs; the one that was added first is called first.

    Returns:
        What removes it.
    """
    added = LogHook(hook)
    _hooks.append(added)
    return added


def call_log_hooks(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Call the hooks: a structlog processor. `set_up_logging` has it in its chain; put it into one of your own."""
    if _hooks and not _is_calling.get():
        token = _is_calling.set(True)
        try:
            for hook in tuple(_hooks):
                if hook in _hooks:  # no other has removed it meanwhile
                    hook.call(event)
        finally:
            _is_calling.reset(token)
    return event
