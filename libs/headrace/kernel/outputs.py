"""Decides where a node's outputs go: to nodes of the same group, to the bus, or to the run's terminal. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct, structs

from headrace.errors import Failure
from headrace.graph.options import Drop, Retry, Suspend, To
from headrace.graph.plan import ExecutionPlan, PlanNode, Route
from headrace.kernel.entry_keys import entry_key
from headrace.kernel.feeds import Feeds
from headrace.kernel.journal import NoRouteError, SuspendError
from headrace.kernel.scopes import child_scope, digest, outer_scope
from headrace.kernel.work import Headers, Work, addressed, child, opening, visiting
from headrace.ledger.terminal import completed
from headrace.ledger.values import Arrive, Emit, Enqueue, Open, Output, Terminal
from headrace.wire.envelope import Envelope


class Dispatch(Struct, kw_only=True, gc=False):
    """Where the outputs of one call go.

    Attributes:
        local: Calls of nodes in the same group, in emission order.
        outputs: For the bus, in emission order, after the scopes that the call opens.
        terminals: Terminal outputs, in emission order; the first one ends the run.
        again: Set where the node is to be called again; nothing else then is.
        failure: Set where that is because it failed.
        items: How many outputs there were.
    """

    local: list[Work] = []
    outputs: list[Output] = []
    terminals: list[Terminal] = []
    again: Retry | Suspend | None = None
    failure: Failure | None = None
    items: int = 0


class Dispatcher:
    """Dispatches outputs by one plan, for one group.

    Args:
        group: None for all groups in one.
        seal: Makes the frame of an envelope.
    """

    def __init__(self, plan: ExecutionPlan, group: str | None, seal: Callable[[Envelope], bytes]) -> None:
        self._plan = plan
        self._seal = seal
        self._feeds = Feeds(plan)
        self._local: Mapping[str, PlanNode] = {
            name: node
            for name, node in plan.nodes.items()
            if group in (node.group, None) and node.keyed is None and not node.is_join
        }
        self._joins = frozenset(name for name, node in plan.nodes.items() if node.is_join)
        self._streams = {name: plan.stream(node.group) for name, node in plan.nodes.items()}

    def dispatch(self, work: Work, returned: list[Any]) -> Dispatch:
        """Decide for every output of a call.

        Raises:
            NoRouteError: The plan has no route for an output.
            SuspendError: Nothing could resume the call.
            TooManyVisitsError: A loop is at its bound.
            InvalidMessageError: An output cannot be encoded.
            EnvelopeTooLargeError: An output is over the limit.
        """
        dispatch, headers = self._begin(work, Dispatch(items=len(returned)))
        for position, output in enumerate(returned):
            match output:
                case Retry():
                    return Dispatch(again=output)
                case Suspend():
                    _check_suspend(work, output)
                    return Dispatch(again=output)
                case _:
                    self._one(dispatch, work.node, headers, position, output)
        return dispatch

    def start(self, headers: Envelope, message: object) -> list[Output]:
        """Decide where a run's entry message goes.

        Args:
            headers: Of the run; its target is filled in here.

        Raises:
            InvalidMessageError: It cannot be encoded, or its key cannot be computed.
        """
        body = self._plan.codecs[headers.type].encode(message)
        outputs: list[Output] = []
        for route in self._plan.entry:
            visits = visiting(headers.visits, self._plan.nodes[route.node])
            own = headers if visits is headers.visits else structs.replace(headers, visits=visits)
            if len(self._plan.entry) > 1:  # each is a call of its own
                own = structs.replace(own, id=digest(f"{headers.id}/{route.node}"))
            keyed = self._plan.nodes[route.node].keyed
            key = entry_key(self._plan, route.node, keyed.key_of, message) if keyed else ""
            outputs.append(self._output(own, route, headers.type, body, key))
        return outputs

    def _begin(self, work: Work, dispatch: Dispatch) -> tuple[Dispatch, Envelope]:
        """Begin to dispatch: open the scopes of the outputs, and give the headers that these descend from."""
        headers = work.headers
        if work.node.opens:
            headers = self._in_scope(headers, child_scope(headers.scope, headers.id, work.node.name))
            dispatch.outputs.extend(self._openings(work, headers.scope))
        return dispatch, headers

    def _one(self, dispatch: Dispatch, node: PlanNode, headers: Envelope, position: int, output: object) -> None:
        match output:
            case None | Drop():
                pass
            case To(node=name, message=message):
                self._send(dispatch, headers, position, message, (self._route_to(node, name, message),))
            case _:
                self._follow(dispatch, node, headers, position, output)

    def _openings(self, work: Work, scope: str) -> list[Output]:
        """Open the scope that a call's outputs are in, once for each gather of it."""
        outputs: list[Output] = []
        for name in work.node.opens:
            gather = self._plan.nodes[name]
            frame = self._seal(self._opening(work.headers, gather))
            outputs.append(Open(self._feeds.join(name, scope), frame, self._feeds.of(gather, work.headers.scope)))
        return outputs

    def _follow(self, dispatch: Dispatch, node: PlanNode, headers: Envelope, position: int, output: object) -> None:
        routes = routes_of(node, type(output))
        if routes is None:
            raise no_route(node, type(output))
        if routes:
            self._send(dispatch, headers, position, output, routes)
        else:
            name, body = self._encoded(output)
            dispatch.terminals.append(self._completed(name, body, headers))

    def _route_to(self, by: PlanNode, name: str, message: object) -> Route:
        target = self._plan.nodes.get(name)
        for message_type in type(message).__mro__ if target else ():
            type_name = self._plan.type_names.get(message_type)
            for route in self._plan.consumers.get(type_name or "", ()):
                if route.node == name:
                    return route
        what = f"node '{name}', which takes none" if target else "a node that there is not"
        raise NoRouteError(f"node '{by.name}' sent {type(message).__name__} to {what}")

    def _send(
        self, dispatch: Dispatch, parent: Envelope, position: int, message: object, routes: tuple[Route, ...]
    ) -> None:
        body: bytes | None = None
        type_name = ""
        for route in routes:
            local = self._local.get(route.node)
            if local is not None:
                headers = self._child(parent, position, local)
                dispatch.local.append(Work(node=local, headers=headers, messages={route.slot: message}))
                continue
            if body is None:
                type_name, body = self._encoded(message)
            target = self._plan.nodes[route.node]
            key = target.keyed.key_of(message) if target.keyed else ""
            dispatch.outputs.append(self._output(self._child(parent, position, target), route, type_name, body, key))

    def _output(self, headers: Envelope, route: Route, type_name: str, body: bytes, key: str) -> Output:
        target, stream = self._plan.nodes[route.node], self._streams[route.node]
        frame = self._seal(self._addressed(headers, route, type_name, body, key))
        if target.name in self._joins:
            return self._arrival(headers.scope, route, frame)
        feeds = self._feeds.of(target, headers.scope)
        if target.keyed is not None:
            lane = lane_of(self._plan.pipe, target.name, key)
            return Enqueue(stream, lane, frame, target.keyed.order == "ingress", feeds)
        return Emit(stream, frame, feeds)

    def _arrival(self, scope: str, route: Route, frame: bytes) -> Arrive:
        join = self._feeds.join(route.node, scope)
        around = outer_scope(scope, 1 if join.gathers else 0)
        if around is None:  # nothing opened the run's own scope, so nothing gathers there
            raise NoRouteError(f"node '{route.node}' gathers, and nothing before it has opened a fan-out")
        return Arrive(join, route.slot, frame, self._feeds.of(self._plan.nodes[route.node], around))

    def _child(self, parent: Envelope, position: int, target: PlanNode) -> Headers:
        return child(parent, position, target)

    def _in_scope(self, headers: Envelope, scope: str) -> Envelope:
        return structs.replace(headers, scope=scope)

    def _opening(self, parent: Envelope, gather: PlanNode) -> Envelope:
        return opening(parent, gather)

    def _addressed(self, headers: Envelope, route: Route, type_name: str, body: bytes, key: str) -> Envelope:
        return addressed(headers, route, type_name, body, key=key)

    def _completed(self, type_name: str, body: bytes, headers: Envelope) -> Terminal:
        return completed(type_name, body, headers.traceparent)

    def _encoded(self, message: object) -> tuple[str, bytes]:
        for message_type in type(message).__mro__:
            name = self._plan.type_names.get(message_type)
            if name is not None:
                return name, self._plan.codecs[name].encode(message)
        raise NoRouteError(f"{type(message).__name__} is no message type of pipe '{self._plan.pipe}'")


def lane_of(pipe: str, node: str, key: str) -> str:
    """Name the lane of a key at a node."""
    return f"{pipe}.{node}.{key}"


def tickets_of(plan: ExecutionPlan, headers: Envelope) -> tuple[tuple[str, str], ...]:
    """Give the lanes in which a run took tickets, each with the group's stream that it feeds.

    A run may have been started by another version of the plan: lanes of nodes that are not in this one are left out.
    """
    if not headers.tickets:
        return ()
    named = ((lane, plan.nodes.get(lane.partition(".")[2].partition(".")[0])) for lane in headers.tickets)
    return tuple((lane, plan.stream(node.group)) for lane, node in named if node is not None)


def routes_of(node: PlanNode, message_type: type[Any]) -> tuple[Route, ...] | None:
    """Tell where a node's output of a class goes; None where the plan has no route for it."""
    routes = node.routes.get(message_type)
    if routes is not None:
        return routes
    return next((node.routes[base] for base in message_type.__mro__ if base in node.routes), None)


def no_route(node: PlanNode, kind: type[Any]) -> NoRouteError:
    """Make the error of a node's output of a class that the plan has no route for; its value may be payload."""
    may = ", ".join(each.__name__ for each in node.routes) or "nothing"
    return NoRouteError(f"node '{node.name}' gave {kind.__name__}; it may give {may}")


def _check_suspend(work: Work, suspend: Suspend) -> None:
    until, node = suspend.until, work.node
    if not isinstance(until, str):
        return
    if until not in node.signals:
        raise SuspendError(f"node '{node.name}' takes no signal '{until}'; give it a parameter {until}: Signal[...]")
    if until in work.messages:  # a run has each signal once, so the call would come back at once, for ever
        raise SuspendError(f"node '{node.name}' waits for the signal '{until}', which it has had")
    if node.keyed is not None:
        raise SuspendError(f"node '{node.name}' is keyed: to wait for the signal '{until}' would block its lane")
