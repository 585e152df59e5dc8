"""Compile: declarations to an `ExecutionPlan`, or to every mistake at once. Pure.

Types and targets are checked for all nodes first; checks of the whole graph then leave out what an earlier mistake
makes unknowable, so that one mistake is not reported as five.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from headrace.errors import CompileError
from headrace.graph.declaration import Declaration, PipeDeclaration
from headrace.graph.fingerprint import fingerprint
from headrace.graph.keys import key_mistakes, keyed_of
from headrace.graph.message_types import codecs_of, type_name
from headrace.graph.mistakes import MESSAGES, Mistake, MistakeKind, Where, render_all
from headrace.graph.node import GROUP_NAME, Node, invalid_name, node_mistakes, read_node, retry_of
from headrace.graph.placement import Placement, placement_of
from headrace.graph.plan import ExecutionPlan, PlanNode, Reach, Slot
from headrace.graph.returns import spell
from headrace.graph.routing import Consumers, Routing, message_types, parents_of, route
from headrace.graph.scope_mistakes import scope_mistakes
from headrace.graph.scopes import Flow, Opens, flow_of, opens_of, reaches_of
from headrace.graph.shape import Entry, cycle_mistakes, find_entry, reach_mistakes
from headrace.graph.signals import signal_mistakes, signals_of
from headrace.wire.codec import MessageCodec, is_message_type


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """A pipe that has been read and routed: a plan, once it has no mistakes."""

    declared: PipeDeclaration
    placement: Placement
    nodes: Mapping[str, Node]
    routing: Routing
    flow: Flow
    opens: Opens
    entry: Entry
    types: tuple[type[Any], ...]
    codecs: Mapping[str, MessageCodec]
    mistakes: tuple[Mistake, ...]


def compile_plan(declared: PipeDeclaration, placement: Mapping[str, str] | Placement | None) -> ExecutionPlan:
    """Check a declared pipe and freeze it.

    Raises:
        CompileError: The pipe has mistakes; all of them are in it.
    """
    draft = _draft(declared, placement_of(placement))
    mistakes = (*draft.mistakes, *_pipe_mistakes(draft), *_placement_mistakes(draft), *_graph_mistakes(draft))
    if mistakes:
        raise CompileError(declared.name, render_all(mistakes))
    plan = _plan(draft, draft.entry.type or object)
    return replace(plan, version=fingerprint(plan))


def _draft(declared: PipeDeclaration, placement: Placement) -> _Draft:
    read = [read_node(declaration) for declaration in declared.nodes]
    nodes: dict[str, Node] = {}
    for node in read:
        nodes.setdefault(node.name, node)
    given, entry_mistakes = _given_entry(declared)
    users = message_types(nodes.values(), given)
    codecs, type_mistakes = codecs_of({each: _where(user, declared) for each, user in users.items()})
    routing = route(nodes, users)
    flow = flow_of(nodes, routing, anywhere=True)
    needs_search = given is None and not entry_mistakes
    entry = find_entry(nodes, routing, declared.where) if needs_search else Entry(type=given, mistakes=entry_mistakes)
    of_nodes = [mistake for node in read for mistake in (*node_mistakes(node), *key_mistakes(node, entry.type))]
    return _Draft(
        declared=declared,
        placement=placement,
        nodes=nodes,
        routing=routing,
        flow=flow,
        opens=opens_of(flow),
        entry=entry,
        types=tuple(users),
        codecs=codecs,
        mistakes=(*of_nodes, *signal_mistakes(read), *type_mistakes, *routing.mistakes, *entry.mistakes),
    )


def _where(user: Node | None, declared: PipeDeclaration) -> Where:
    return declared.where if user is None else user.where


def _given_entry(declared: PipeDeclaration) -> tuple[type[Any] | None, tuple[Mistake, ...]]:
    if declared.entry is None or is_message_type(declared.entry):
        return declared.entry, ()
    facts = {"of": "entry=", "type": spell(declared.entry), "messages": MESSAGES}
    return None, (Mistake(kind=MistakeKind.NOT_A_MESSAGE, where=declared.where, facts=facts),)


def _pipe_mistakes(draft: _Draft) -> Iterator[Mistake]:
    declared = draft.declared
    yield from invalid_name("pipe", declared.name, GROUP_NAME, declared.where)
    if not declared.nodes:
        yield Mistake(kind=MistakeKind.NO_NODES, where=declared.where)
    first: dict[str, Declaration] = {}
    for node in declared.nodes:
        if first.setdefault(node.name, node) is not node:
            facts = {"first": str(first[node.name].where)}
            yield Mistake(kind=MistakeKind.DUPLICATE_NODE, where=node.where, facts=facts)


def _placement_mistakes(draft: _Draft) -> Iterator[Mistake]:
    where = draft.declared.where
    for node, group in draft.placement.groups.items():
        if node not in draft.nodes:
            known = tuple(draft.nodes)
            facts = {"group": group}
            yield Mistake(kind=MistakeKind.UNKNOWN_PLACEMENT, where=where, facts=facts, wrong=node, known=known)
    for group in dict.fromkeys((*draft.placement.groups.values(), draft.placement.default or "main")):
        yield from invalid_name("group", group, GROUP_NAME, where)
    for each in draft.nodes.values():
        if _group_of(each, draft) is None:
            yield Mistake(kind=MistakeKind.NOT_PLACED, where=each.where)


def _graph_mistakes(draft: _Draft) -> Iterator[Mistake]:
    yield from cycle_mistakes(draft.nodes, draft.routing)
    if draft.entry.type is not None and not draft.routing.unknown and draft.nodes:
        yield from reach_mistakes(draft.nodes, draft.routing, draft.entry.type, draft.declared.where)
        yield from scope_mistakes(draft.nodes, draft.routing, draft.flow, draft.opens, draft.entry.type)


def _group_of(node: Node, draft: _Draft) -> str | None:
    return draft.placement.group_of(node.name, node.options.get("group"))


def _plan(draft: _Draft, entry: type[Any]) -> ExecutionPlan:
    declared = draft.declared
    reaches = reaches_of(draft.flow, draft.opens)
    nodes = {name: _plan_node(node, draft, reaches[name]) for name, node in draft.nodes.items()}
    takers = Consumers(draft.nodes.values())
    consumers = {type_name(each): takers.of(each) for each in draft.types}
    return ExecutionPlan(
        pipe=declared.name,
        version="",
        nodes=nodes,
        codecs=draft.codecs,
        type_names={each: type_name(each) for each in draft.types},
        entry_type=type_name(entry),
        entry=consumers[type_name(entry)],
        consumers=consumers,
        terminal_types=_terminal_types(nodes.values()),
        parents=parents_of(draft.nodes, draft.routing),
        groups=_groups(nodes.values()),
        on_startup=declared.on_startup,
        on_shutdown=declared.on_shutdown,
        observers=declared.observers,
        providers=declared.providers,
        hooks=declared.hooks,
        middleware=declared.middleware,
        classifiers=declared.classifiers,
        read_line=declared.read_line,
    )


def _plan_node(node: Node, draft: _Draft, reaches: tuple[Reach, ...]) -> PlanNode:
    options, signature = node.options, node.signature
    return PlanNode(
        name=node.name,
        function=node.declaration.function,
        group=_group_of(node, draft) or "",
        file=node.where.file,
        line=node.where.line,
        slots=tuple(Slot(name=slot.name, type_name=slot.type_name, kind=slot.kind) for slot in node.slots),
        reaches=reaches,
        opens=draft.opens.get(node.name, ()),
        barrier_timeout_s=options.get("barrier_timeout"),
        signals=signals_of(node),
        injected=signature.injected,
        context_param=signature.context.name if signature.context is not None else None,
        is_async=signature.is_async,
        is_series=signature.returns.is_series,
        sends_anywhere=signature.returns.sends_anywhere,
        outputs=tuple(map(type_name, node.outputs)),
        routes=draft.routing.routes[node.name],
        to=options.get("to"),
        retry=retry_of(options),
        timeout_s=options.get("timeout"),
        concurrency=options.get("concurrency"),
        executor=options.get("executor", "inline" if signature.is_async else "thread"),
        is_terminal=options.get("terminal", False),
        keyed=keyed_of(node),
        max_visits=options.get("max_visits"),
        origin=node.declaration.origin,
    )


def _terminal_types(nodes: Iterable[PlanNode]) -> tuple[str, ...]:
    ends = (sent for node in nodes for sent, routes in node.routes.items() if not routes)
    return tuple(dict.fromkeys(map(type_name, ends)))


def _groups(nodes: Iterable[PlanNode]) -> dict[str, tuple[str, ...]]:
    groups: dict[str, tuple[str, ...]] = {}
    for node in nodes:
        groups[node.group] = (*groups.get(node.group, ()), node.name)
    return groups
