"""Decides where a node's outputs go: to nodes of the same group, to the bus, or to the run's terminal. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from headrace.graph.options import Drop, Retry, To
from headrace.graph.plan import ExecutionPlan, PlanNode, Route
from headrace.kernel.journal import NoRouteError, TooManyVisitsError
from headrace.ledger.terminal import completed
from headrace.ledger.values import Arrive, Emit, Enqueue, Output, Terminal
from headrace.wire.envelope import Envelope

_ID_BYTES = 8  # collisions matter only within one run


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A node to call: its messages by slot, and the headers of the envelope that asks for it."""

    node: PlanNode
    headers: Envelope
    messages: dict[str, Any]


@dataclass(slots=True, kw_only=True)
class Dispatch:
    """Where the outputs of one call go.

    Attributes:
        local: Calls of nodes in the same group, in emission order.
        outputs: For the bus, in emission order.
        terminals: Terminal outputs, in emission order; the first one ends the run.
        retry: Set where the node returned `Retry(after=)`; nothing else then is.
    """

    local: list[Work] = field(default_factory=list[Work])
    outputs: list[Output] = field(default_factory=list[Output])
    terminals: list[Terminal] = field(default_factory=list[Terminal])
    retry: Retry | None = None


class Dispatcher:
    """Dispatches outputs by one plan, for one group.

    Args:
        seal: Makes the frame of an envelope.
    """

    def __init__(self, plan: ExecutionPlan, group: str, seal: Callable[[Envelope], bytes]) -> None:
        self._plan = plan
        self._group = group
        self._seal = seal

    def dispatch(self, work: Work, returned: list[Any]) -> Dispatch:
        """Decide for every output of a call.

        Raises:
            NoRouteError: The plan has no route for an output.
            TooManyVisitsError: A loop is at its bound.
            InvalidMessageError: An output cannot be encoded.
            EnvelopeTooLargeError: An output is over the limit.
        """
        dispatch = Dispatch()
        for position, output in enumerate(returned):
            match output:
                case None | Drop():
                    pass
                case Retry():
                    return Dispatch(retry=output)
                case To(node=name, message=message):
                    self._send(dispatch, work, position, message, (self._route_to(name, message),))
                case _:
                    self._follow(dispatch, work, position, output)
        return dispatch

    def start(self, headers: Envelope, message: object) -> list[Output]:
        """Decide where a run's entry message goes.

        Args:
            headers: Of the run; its target is filled in here.
        """
        outputs: list[Output] = []
        body = self._plan.codecs[headers.type].encode(message)
        for route in self._plan.entry:
            target = self._plan.nodes[route.node]
            envelope = _addressed(headers, route, headers.type, body, target, message)
            outputs.append(self._output(target, envelope))
        return outputs

    def _follow(self, dispatch: Dispatch, work: Work, position: int, output: object) -> None:
        routes = _lookup(work.node, type(output))
        if routes is None:
            raise NoRouteError
        if routes:
            self._send(dispatch, work, position, output, routes)
        else:
            name, body = self._encoded(output)
            dispatch.terminals.append(completed(name, body))

    def _route_to(self, name: str, message: object) -> Route:
        target = self._plan.nodes.get(name)
        for message_type in type(message).__mro__ if target else ():
            type_name = self._plan.type_names.get(message_type)
            for route in self._plan.consumers.get(type_name or "", ()):
                if route.node == name:
                    return route
        raise NoRouteError

    def _send(
        self,
        dispatch: Dispatch,
        work: Work,
        position: int,
        message: object,
        routes: tuple[Route, ...],
    ) -> None:
        body: bytes | None = None
        type_name = ""
        for route in routes:
            target = self._plan.nodes[route.node]
            headers = _child(work.headers, position, target)
            if target.group == self._group and target.keyed is None and len(target.slots) == 1:
                dispatch.local.append(Work(node=target, headers=headers, messages={route.slot: message}))
                continue
            if body is None:
                type_name, body = self._encoded(message)
            envelope = _addressed(headers, route, type_name, body, target, message)
            dispatch.outputs.append(self._output(target, envelope))

    def _output(self, target: PlanNode, envelope: Envelope) -> Output:
        group = self._plan.stream(target.group)
        frame = self._seal(envelope)
        if target.keyed is not None:
            lane = lane_of(self._plan.pipe, target.name, envelope.key)
            return Enqueue(group, lane, frame, target.keyed.order == "ingress")
        if len(target.slots) > 1:
            slots = tuple(slot.name for slot in target.slots)
            return Arrive(group, target.name, envelope.slot, slots, envelope.scope, frame)
        return Emit(group, frame)

    def _encoded(self, message: object) -> tuple[str, bytes]:
        for message_type in type(message).__mro__:
            name = self._plan.type_names.get(message_type)
            if name is not None:
                return name, self._plan.codecs[name].encode(message)
        raise NoRouteError


def envelope_of(work: Work, plan: ExecutionPlan, slot: str) -> Envelope:
    """Give the envelope that would have brought one message of a call."""
    message = work.messages[slot]
    name = next(plan.type_names[kind] for kind in type(message).__mro__ if kind in plan.type_names)
    body = plan.codecs[name].encode(message)
    return _addressed(work.headers, Route(node=work.node.name, slot=slot), name, body, work.node, message)


def lane_of(pipe: str, node: str, key: str) -> str:
    """Name the lane of a key at a node."""
    return f"{pipe}.{node}.{key}"


def tickets_of(plan: ExecutionPlan, headers: Envelope) -> tuple[tuple[str, str], ...]:
    """Give the lanes in which a run took tickets, each with the group's stream that it feeds.

    A run may have been started by another version of the plan: lanes of nodes that are not in this one are left out.
    """
    named = ((lane, plan.nodes.get(lane.partition(".")[2].partition(".")[0])) for lane in headers.tickets)
    return tuple((lane, plan.stream(node.group)) for lane, node in named if node is not None)


def _lookup(node: PlanNode, message_type: type[Any]) -> tuple[Route, ...] | None:
    routes = node.routes.get(message_type)
    if routes is not None:
        return routes
    return next((node.routes[base] for base in message_type.__mro__ if base in node.routes), None)


def _child(parent: Envelope, position: int, target: PlanNode) -> Envelope:
    """Make the headers of an output; the same again where the hop is repeated."""
    visits = parent.visits
    if target.max_visits is not None:
        count = visits.get(target.name, 0) + 1
        if count > target.max_visits:
            raise TooManyVisitsError
        visits = {**visits, target.name: count}
    name = f"{parent.id}/{parent.node}/{position}/{target.name}".encode()
    return Envelope(
        id=blake2b(name, digest_size=_ID_BYTES).hexdigest(),
        trace_id=parent.trace_id,
        pipe=parent.pipe,
        node=target.name,
        slot="",
        type="",
        body=b"",
        plan=parent.plan,
        deadline_ms=parent.deadline_ms,
        scope=parent.scope,
        lineage=(*parent.lineage, position),
        tickets=parent.tickets,
        visits=visits,
        origin_run_id=parent.origin_run_id,
        traceparent=parent.traceparent,
    )


def _addressed(
    headers: Envelope,
    route: Route,
    type_name: str,
    body: bytes,
    target: PlanNode,
    message: object,
) -> Envelope:
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
        key=target.keyed.key_of(message) if target.keyed else "",
        visits=headers.visits,
        origin_run_id=headers.origin_run_id,
        traceparent=headers.traceparent,
    )
