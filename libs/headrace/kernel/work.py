"""Work: a node to call; and the envelopes that a call sends, by which it is sent again, and that open a scope. Pure.

An envelope's id follows from its parent's id and its position, so a repeated call repeats the ids of what it sends.
"""

from typing import Any

from msgspec import Struct, structs

from headrace.graph.plan import ExecutionPlan, PlanNode, Route
from headrace.kernel.journal import TooManyVisitsError
from headrace.kernel.scopes import digest
from headrace.wire.envelope import Envelope


class Headers(Envelope, frozen=True, array_like=True, omit_defaults=True, gc=False):
    """Headers of a call made in this process, which are never sent: what is sent is `addressed`.

    Attributes:
        parent_id: The call whose output it works on.
        owner_id: The call that fanned out the scope that it is in.
        position: The place of its message among that call's outputs.
    """

    parent_id: str = ""
    owner_id: str = ""
    position: int = 0


class Work(Struct, frozen=True, gc=False):  # nothing that it holds can hold it
    """A node to call.

    Attributes:
        headers: Of the envelope that asks for it; of several, of the first one. Its scope is the call's own.
        messages: By slot; None for a partial slot that nothing came for, a list for a gather's. By name of a signal,
            the signals that have come.
        signals: The frames of these signals.
        stash: Where a gather's frames wait, empty for none.
    """

    node: PlanNode
    headers: Envelope
    messages: dict[str, Any]
    signals: tuple[bytes, ...] = ()
    stash: str = ""


def visiting(visits: dict[str, int], target: PlanNode) -> dict[str, int]:
    """Count the visit of a node that bounds a loop.

    Raises:
        TooManyVisitsError: It is one too many.
    """
    if target.max_visits is None:
        return visits
    count = visits.get(target.name, 0) + 1
    if count > target.max_visits:
        raise TooManyVisitsError(f"node '{target.name}' is at its bound: max_visits={target.max_visits}")
    return {**visits, target.name: count}


def child(parent: Envelope, position: int, target: PlanNode) -> Headers:
    """Make the headers of an output.

    Raises:
        TooManyVisitsError: A loop is at its bound.
    """
    return Headers(
        digest(f"{parent.id}/{parent.node}/{position}/{target.name}"),
        parent.trace_id,
        parent.pipe,
        target.name,
        "",
        "",
        b"",
        parent.plan,
        parent.deadline_ms,
        1,
        parent.scope,
        (*parent.lineage, position),
        parent.tickets,
        "",
        visiting(parent.visits, target),
        parent.origin_run_id,
        parent.traceparent,
        0,
        parent.keeps_events,
        parent.id,
    )


def opening(parent: Envelope, gather: PlanNode) -> Envelope:
    """Make the envelope that asks for a gather, in the scope of the call that opens what it gathers; raises as `child`.

    It stands where that call stood, so that outputs of gathers are in order too.
    """
    identity = digest(f"{parent.id}/{parent.node}/open/{gather.name}")
    visits = visiting(parent.visits, gather)
    return Envelope(
        id=identity,
        trace_id=parent.trace_id,
        pipe=parent.pipe,
        node=gather.name,
        slot="",
        type="",
        body=b"",
        plan=parent.plan,
        deadline_ms=parent.deadline_ms,
        scope=parent.scope,
        lineage=parent.lineage,
        tickets=parent.tickets,
        visits=visits,
        origin_run_id=parent.origin_run_id,
        traceparent=parent.traceparent,
        keeps_events=parent.keeps_events,
    )


def addressed(headers: Envelope, route: Route, type_name: str, body: bytes, *, key: str = "") -> Envelope:
    """Put a message into an envelope with these headers."""
    return Envelope(
        id=headers.id,
        trace_id=headers.trace_id,
        pipe=headers.pipe,
        node=route.node,
        slot=route.slot,
        type=type_name,
        body=body,
        plan=headers.plan,
        deadline_ms=headers.deadline_ms,
        attempt=headers.attempt,
        scope=headers.scope,
        lineage=headers.lineage,
        tickets=headers.tickets,
        key=key,
        visits=headers.visits,
        origin_run_id=headers.origin_run_id,
        traceparent=headers.traceparent,
        failed_ms=headers.failed_ms,
        keeps_events=headers.keeps_events,
    )


def again(plan: ExecutionPlan, work: Work, failed_ms: int | None) -> list[Envelope]:
    """Give the envelopes that ask for a call once more; of a gather the opening, for what it gathered stays stashed.

    Args:
        failed_ms: When it failed, in Unix milliseconds; None where it did not.

    Raises:
        InvalidMessageError: A message cannot be encoded: on its way here, inside the group, it never was.
    """
    headers = work.headers
    if failed_ms is not None:
        first_ms = headers.failed_ms or failed_ms
        headers = structs.replace(headers, attempt=headers.attempt + 1, failed_ms=first_ms)
    if work.node.gathers:
        return [headers]
    return [
        _message(plan, headers, work.node, slot.name, work.messages[slot.name])
        for slot in work.node.slots
        if work.messages[slot.name] is not None
    ]


def _message(plan: ExecutionPlan, headers: Envelope, node: PlanNode, slot: str, message: object) -> Envelope:
    name = next(plan.type_names[kind] for kind in type(message).__mro__ if kind in plan.type_names)
    key = node.keyed.key_of(message) if node.keyed else ""
    return addressed(headers, Route(node=node.name, slot=slot), name, plan.codecs[name].encode(message), key=key)
