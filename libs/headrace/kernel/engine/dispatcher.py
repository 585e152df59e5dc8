"""Where outputs go when all nodes are in one process: the rules of `outputs`, with lighter headers, page by page.

The messages of a long series are made into calls a page at a time, so that a map of 100,000 holds a page of them.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import count
from typing import Any

from msgspec import Struct, structs

from headrace.graph.options import Drop, Retry, Suspend, To
from headrace.graph.plan import ExecutionPlan, PlanNode, Route
from headrace.kernel.engine.uncoded import UncodedFraming, as_frame, completed_with
from headrace.kernel.feeds import Feeds
from headrace.kernel.journal import NoRouteError
from headrace.kernel.outputs import Dispatch, Dispatcher, no_route, routes_of
from headrace.kernel.scopes import outer_scope
from headrace.kernel.work import Headers, Work, visiting
from headrace.ledger.values import Arrive, Emit, Feed, Join, Output, Terminal
from headrace.wire.envelope import Envelope

PAGE = 256
_MEETINGS = 256  # of a slot and a scope: those of the fan-outs under way

_ids = count(1)  # of calls: unique in the process, which is where they are looked up
_CONTROL = (Drop, Retry, Suspend, To, type(None))


class Rest(Struct, frozen=True):
    """What is left of a series.

    Attributes:
        work: The call that sent it.
        headers: What its messages descend from.
        feeds: What it may lead to.
    """

    work: Work
    headers: Envelope
    returned: Sequence[Any]
    start: int
    feeds: tuple[Feed, ...]


class Sent(Dispatch, kw_only=True, gc=False):
    """Where outputs of one call go.

    Attributes:
        rest: Those that are not dispatched yet; None for none.
    """

    rest: Rest | None = None


class Way(Struct, frozen=True):
    """Where a node's output of one class goes, looked up beforehand: to no node, to some, none of them keyed."""

    target: PlanNode
    route: Route
    type_name: str


class EngineDispatcher(Dispatcher):
    """Dispatches outputs in one process."""

    def __init__(self, plan: ExecutionPlan, feeds: Feeds) -> None:
        super().__init__(plan, None, UncodedFraming().seal)
        self._feeds = feeds
        self._ways = {name: self._ways_of(node) for name, node in plan.nodes.items()}
        self._meeting = lru_cache(_MEETINGS)(self._meeting_of)
        first = plan.nodes[plan.entry[0].node]
        self._first = first if len(plan.entry) == 1 and first.keyed is None and not first.is_join else None

    def dispatch(self, work: Work, returned: list[Any]) -> Dispatch:
        """Decide for every output of a call, or for the first page of a long series; raises as `Dispatcher`'s."""
        node = work.node
        if len(returned) == 1 and not node.opens:
            output: object = returned[0]
            ways = self._ways[node.name].get(type(output))
            if ways is not None:  # most calls
                dispatch = Dispatch(items=1)
                self._go(dispatch, ways, work.headers, 0, output)
                return dispatch
        if len(returned) <= PAGE:
            return super().dispatch(work, returned)
        kinds = set(map(type, returned))
        if not kinds.isdisjoint((Retry, Suspend, To)):
            return super().dispatch(work, returned)
        sent = Sent(items=len(returned))
        _, headers = self._begin(work, sent)
        rest = Rest(work, headers, returned, 0, self._feeds_of(work.node, headers.scope, kinds))
        return self._page(rest, sent)

    def start(self, headers: Envelope, message: object) -> list[Output]:
        """Decide where a run's entry message goes: to one node in most plans, which is called as it is.

        Args:
            headers: Of the run, for the first node that begins it.
        """
        first = self._first
        if first is None:
            return super().start(headers, message)
        if first.max_visits is not None:
            headers = structs.replace(headers, visits=visiting(headers.visits, first))
        work = Work(first, headers, {self._plan.entry[0].slot: message})
        return [Emit("", as_frame(work), self._feeds.of(first, ""))]

    def page(self, rest: Rest) -> Sent:
        """Dispatch the next messages of a series."""
        return self._page(rest, Sent(items=len(rest.returned)))

    def _page(self, rest: Rest, sent: Sent) -> Sent:
        end = min(rest.start + PAGE, len(rest.returned))
        for position in range(rest.start, end):
            self._one(sent, rest.work.node, rest.headers, position, rest.returned[position])
        if end < len(rest.returned):
            sent.rest = structs.replace(rest, start=end)
        return sent

    def _feeds_of(self, node: PlanNode, scope: str, kinds: set[type[Any]]) -> tuple[Feed, ...]:
        """Give all that messages of some types may lead to."""
        feeds: dict[Feed, None] = {}
        for kind in kinds.difference(_CONTROL):
            routes = routes_of(node, kind)
            if routes is None:
                raise no_route(node, kind)
            for route in routes:
                feeds.update(dict.fromkeys(self._feeds_at(route, scope)))
        return tuple(feeds)

    def _feeds_at(self, route: Route, scope: str) -> tuple[Feed, ...]:
        target = self._plan.nodes[route.node]
        if not target.is_join:
            return self._feeds.of(target, scope)
        around = outer_scope(scope, 1 if target.gathers else 0)
        if around is None:
            raise NoRouteError(f"node '{target.name}' gathers, and nothing before it has opened a fan-out")
        return Feed(self._feeds.join(target.name, scope), route.slot), *self._feeds.of(target, around)

    def _one(self, dispatch: Dispatch, node: PlanNode, headers: Envelope, position: int, output: object) -> None:
        ways = self._ways[node.name].get(type(output))
        if ways is None:
            super()._one(dispatch, node, headers, position, output)
        else:
            self._go(dispatch, ways, headers, position, output)

    def _go(self, dispatch: Dispatch, ways: tuple[Way, ...], headers: Envelope, position: int, output: object) -> None:
        if not ways:
            dispatch.terminals.append(completed_with(output))
        for way in ways:
            target, route = way.target, way.route
            if target.is_join:
                slot = route.slot
                frame: Any = _headers(headers, target, position, slot, way.type_name, output)
                join, feeds = self._meeting(target.name, slot, headers.scope)
                dispatch.outputs.append(Arrive(join, slot, frame, feeds))
            else:
                dispatch.local.append(Work(target, _headers(headers, target, position), {route.slot: output}))

    def _ways_of(self, node: PlanNode) -> dict[type[Any], tuple[Way, ...]]:
        ways: dict[type[Any], tuple[Way, ...]] = {}
        for kind, routes in node.routes.items():
            targets = [self._plan.nodes[route.node] for route in routes]
            if not any(target.keyed for target in targets):
                name = self._plan.type_names[kind]
                ways[kind] = tuple(Way(target, route, name) for target, route in zip(targets, routes, strict=True))
        return ways

    def _meeting_of(self, name: str, slot: str, scope: str) -> tuple[Join, tuple[Feed, ...]]:
        """Give the join that a message meets others at, and what comes of that may lead to."""
        arrival = self._arrival(scope, Route(node=name, slot=slot), b"")
        return arrival.join, arrival.feeds

    def _child(self, parent: Envelope, position: int, target: PlanNode) -> Headers:
        return _headers(parent, target, position)

    def _opening(self, parent: Envelope, gather: PlanNode) -> Envelope:
        return structs.replace(_headers(parent, gather, 0), lineage=parent.lineage)

    def _in_scope(self, headers: Envelope, scope: str) -> Envelope:
        return structs.replace(headers, scope=scope, owner_id=headers.id)

    def _addressed(self, headers: Envelope, route: Route, type_name: str, body: bytes, key: str) -> Envelope:
        return structs.replace(headers, node=route.node, slot=route.slot, type=type_name, body=body, key=key)

    def _completed(self, type_name: str, body: bytes, headers: Envelope) -> Terminal:  # noqa: ARG002 - a message tells its type itself
        return completed_with(body)


def _headers(
    parent: Envelope,
    target: PlanNode,
    position: int,
    slot: str = "",
    type_name: str = "",
    body: Any = b"",  # noqa: ANN401 - a message stands for its bytes
) -> Headers:
    lineage = (*parent.lineage, position) if parent.scope else ()  # only gathers look at it, of what is in their scope
    headers: Any = structs.replace(  # half the cost of making them anew
        parent,
        id=str(next(_ids)),
        node=target.name,
        slot=slot,
        type=type_name,
        body=body,
        attempt=1,
        lineage=lineage,
        key="",
        parent_id=parent.id,
        position=position,
    )
    made: Headers = headers
    return made if target.max_visits is None else structs.replace(made, visits=visiting(parent.visits, target))
