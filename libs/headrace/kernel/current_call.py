"""The call that is being made where this runs, its threads included: what log lines written by a node are about."""

from contextvars import ContextVar

from headrace.kernel.work import Work

current_call: ContextVar[Work | None] = ContextVar("headrace_current_call", default=None)
