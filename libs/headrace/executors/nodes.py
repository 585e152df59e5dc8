"""Bodies of nodes in other processes: the `Elsewhere` of a worker."""

import dataclasses
import inspect
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from functools import partial
from typing import Any

from anyio import CapacityLimiter

from headrace.executors.backend import Places, Run
from headrace.executors.backends import places_of
from headrace.executors.node_call import NodeCall, Returned
from headrace.executors.preparation import packed
from headrace.graph.plan import ExecutionPlan, PlanNode
from headrace.kernel.context import Context
from headrace.kernel.current_call import about, current_call
from headrace.kernel.elsewhere import Call, Elsewhere

_OF_THE_PROCESS = ("publisher", "store", "home", "origin")
_CONTEXT = [each.name for each in dataclasses.fields(Context) if each.name not in _OF_THE_PROCESS]


@asynccontextmanager
async def elsewhere(plan: ExecutionPlan, groups: Sequence[str]) -> AsyncGenerator[Elsewhere | None]:
    """Open what the nodes of some groups need that run in other processes; None where none does.

    Raises:
        BackendMissingError: What they run on is not installed.
    """
    nodes = [plan.nodes[name] for group in groups for name in plan.groups[group]]
    wanted = {node.executor: node for node in nodes if node.runs_elsewhere}
    if not wanted:
        yield None
        return
    async with AsyncExitStack() as stack:
        places: dict[str, Places] = {}
        limits: dict[str, CapacityLimiter] = {}
        for name in wanted:
            backend, concurrency = places_of(name)
            places[name] = await stack.enter_async_context(backend)
            limits[name] = CapacityLimiter(concurrency)
        yield _Elsewhere(places, limits, plan.providers if _inject(nodes) else ())


class _Elsewhere:
    def __init__(
        self, places: Mapping[str, Places], limits: Mapping[str, CapacityLimiter], providers: tuple[Any, ...]
    ) -> None:
        self._places = places
        self._limits = limits
        self._preparation = packed()
        # pickled once: a process knows by the bytes which container it has
        self._providers = {name: place.pickled(providers) for name, place in places.items()}

    @asynccontextmanager
    async def place(self, node: PlanNode) -> AsyncGenerator[Call]:
        # a node with a concurrency of its own has been bounded by that
        limit = self._limits[node.executor] if node.concurrency is None else nullcontext()
        async with limit, self._places[node.executor].place() as run:
            yield partial(self._call, node, run)

    async def _call(self, node: PlanNode, run: Run, arguments: dict[str, Any]) -> list[Any]:
        sent = dict(arguments)
        context: Context | None = sent.pop(node.context_param) if node.context_param is not None else None
        state_param = node.keyed.state_param if node.keyed is not None else None
        returned: Returned = await run(
            NodeCall(
                function=node.function,
                is_async=node.is_async,
                is_series=node.is_series or inspect.isgeneratorfunction(node.function),
                arguments=sent,
                injected=node.injected,
                providers=self._providers[node.executor] if node.injected else b"",
                context_param=node.context_param,
                context={name: getattr(context, name) for name in _CONTEXT} if context is not None else {},
                state_param=state_param,
                about=about(current_call.get()),
                preparation=self._preparation,
            )
        )
        if context is not None:
            for value in returned.emitted:
                context.emit(value)
        if state_param is not None:
            _become(arguments[state_param], returned.state)
        return returned.outputs


def _become(ours: object, theirs: object) -> None:
    """Have our state hold what the one that came back holds; one that is frozen is as it was."""
    names: Iterable[str] = getattr(ours, "__struct_fields__", ())
    if not names:
        names = [each.name for each in dataclasses.fields(ours)] if dataclasses.is_dataclass(ours) else vars(ours)
    for name in names:
        value = getattr(theirs, name)
        if value != getattr(ours, name):
            setattr(ours, name, value)


def _inject(nodes: Sequence[PlanNode]) -> bool:
    return any(node.injected and node.runs_elsewhere for node in nodes)
