"""The call that is being made where this runs, its threads included: what log lines written by a node are about."""

from contextvars import ContextVar

from headrace.kernel.work import Work

current_call: ContextVar[Work | None] = ContextVar("headrace_current_call", default=None)


def about(call: Work | None) -> dict[str, str]:
    """Give what log lines say of a call: its run, pipe, node and group; nothing where there is none."""
    if call is None:
        return {}
    headers, node = call.headers, call.node
    return {"trace_id": headers.trace_id, "pipe": headers.pipe, "node": node.name, "group": node.group}
