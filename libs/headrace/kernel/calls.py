"""One call of a node's function: off the event loop where it is synchronous, bounded in time, its outputs in a list."""

import inspect
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import anyio
from anyio import CapacityLimiter, to_thread

from headrace.graph.plan import PlanNode
from headrace.kernel.journal import NodeTimeoutError

Call = Callable[[dict[str, Any]], Awaitable[list[Any]]]


def compile_call(node: PlanNode) -> Call:
    """Give the function that calls a node with its parameters by name, and gives what it returned or yielded.

    A synchronous function runs in a thread. When its time is up its caller goes on and the thread's result is
    dropped; Python cannot stop the thread itself.
    """
    call = _bare_call(node)
    if node.timeout_s is not None:
        call = partial(_bounded, call, node.timeout_s)
    if node.concurrency is not None:
        call = partial(_limited, call, CapacityLimiter(node.concurrency))
    return call


def _bare_call(node: PlanNode) -> Call:
    function = node.function
    if inspect.isasyncgenfunction(function):
        return partial(_from_async_generator, function)
    if node.is_async:
        return partial(_from_coroutine, function, is_series=node.is_series)
    return partial(_from_thread, function, is_series=node.is_series or inspect.isgeneratorfunction(function))


async def _from_async_generator(function: Callable[..., Any], arguments: dict[str, Any]) -> list[Any]:
    return [output async for output in function(**arguments)]


async def _from_coroutine(function: Callable[..., Any], arguments: dict[str, Any], *, is_series: bool) -> list[Any]:
    return _listed(await function(**arguments), is_series=is_series)


async def _from_thread(function: Callable[..., Any], arguments: dict[str, Any], *, is_series: bool) -> list[Any]:
    def call() -> list[Any]:  # a generator's body must run in the thread too
        return _listed(function(**arguments), is_series=is_series)

    return await to_thread.run_sync(call, abandon_on_cancel=True)


async def _bounded(call: Call, timeout_s: float, arguments: dict[str, Any]) -> list[Any]:
    with anyio.move_on_after(timeout_s):
        return await call(arguments)
    raise NodeTimeoutError


async def _limited(call: Call, limiter: CapacityLimiter, arguments: dict[str, Any]) -> list[Any]:
    async with limiter:
        return await call(arguments)


def _listed(returned: Any, *, is_series: bool) -> list[Any]:  # noqa: ANN401 - what a user's function returned
    if returned is None:
        return []
    return list(returned) if is_series or isinstance(returned, (list, tuple)) else [returned]
