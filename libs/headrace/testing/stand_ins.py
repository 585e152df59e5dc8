"""Stand-ins for nodes: a function, a message, or an exception in the place of what a node does."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from anyio import to_thread

from headrace.graph.plan import ExecutionPlan, PlanNode


def with_stand_ins(plan: ExecutionPlan, stand_ins: Mapping[str, Any]) -> ExecutionPlan:
    """Replace what nodes do; options, routes and types stay as they are. Synchronous ones run in threads.

    Args:
        stand_ins: By node, a function that is given those of the node's parameters that it has, by name; or a message,
            or a list of them, to return; or an exception, or its class, to raise.

    Raises:
        ValueError: A node that is to be replaced is not there.
    """
    unknown = sorted(set(stand_ins) - set(plan.nodes))
    if unknown:
        raise ValueError(f"no node '{unknown[0]}' to replace in pipe '{plan.pipe}'; it has: {', '.join(plan.nodes)}")
    nodes = {
        name: _replaced(node, stand_ins[name]) if name in stand_ins else _in_virtual_time(node)
        for name, node in plan.nodes.items()
    }
    return replace(plan, nodes=nodes)


def _replaced(node: PlanNode, stand_in: Any) -> PlanNode:  # noqa: ANN401 - a function, a message or an exception
    async def stand(**arguments: Any) -> Any:  # noqa: ANN401 - a node's
        if isinstance(stand_in, BaseException) or _is_exception_class(stand_in):
            raise stand_in
        if not callable(stand_in):
            return stand_in
        made: Any = stand_in(**_taken(stand_in, arguments))
        if hasattr(made, "__aiter__"):
            return [output async for output in made]
        if inspect.isgenerator(made):
            return list(made)
        return await made if inspect.isawaitable(made) else made

    return replace(node, function=stand, is_async=True)


def _is_exception_class(stand_in: object) -> bool:
    return isinstance(stand_in, type) and issubclass(stand_in, BaseException)


def _in_virtual_time(node: PlanNode) -> PlanNode:
    if node.is_async:
        return node
    is_series = node.is_series or inspect.isgeneratorfunction(node.function)

    def call(arguments: dict[str, Any]) -> Any:  # noqa: ANN401 - a node's
        made = node.function(**arguments)
        return list(made) if is_series and hasattr(made, "__iter__") else made

    async def in_thread(**arguments: Any) -> Any:  # noqa: ANN401 - a node's
        return await to_thread.run_sync(partial(call, arguments), abandon_on_cancel=True)

    return replace(node, function=in_thread, is_async=True)


def _taken(function: Callable[..., Any], arguments: dict[str, Any]) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters
    if any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters.values()):
        return arguments
    return {name: value for name, value in arguments.items() if name in parameters}
