"""One call of a node's function: off the event loop where it is synchronous, bounded in time, its outputs in a list."""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from functools import partial
from itertools import takewhile
from typing import Any, cast

import anyio
from anyio import CapacityLimiter
from msgspec import Struct

from headrace.graph.options import Drop, Retry, Suspend, To
from headrace.graph.plan import PlanNode
from headrace.kernel.elsewhere import Call as Call  # noqa: PLC0414 - what the functions here make
from headrace.kernel.elsewhere import Elsewhere
from headrace.kernel.journal import NodeTimeoutError
from headrace.kernel.loop import turn
from headrace.kernel.threads import in_thread, in_turn

_TURN = 64  # outputs of a generator that never waits, before others and cancellations have their turn

Middleware = Callable[[PlanNode, Call], Call]
"""A user's: wraps what calls a node; is given the parameters by name, and gives what came back, in a list."""


class Calls(Struct, frozen=True):
    """What calls the nodes of a plan.

    Attributes:
        by_node: By a node's name.
        bare: Of these, the coroutine functions that take nothing but messages and have nothing around them.
    """

    by_node: Mapping[str, Call]
    bare: Mapping[str, Callable[..., Awaitable[Any]]]


def compile_calls(
    nodes: Iterable[PlanNode], middleware: Sequence[Middleware] = (), elsewhere: Elsewhere | None = None
) -> Calls:
    """Give what calls some nodes; as `compile_call`."""
    by_node: dict[str, Call] = {}
    bare: dict[str, Callable[..., Awaitable[Any]]] = {}
    for node in nodes:
        call = by_node[node.name] = compile_call(node, middleware, elsewhere)
        if node.is_plain and isinstance(call, partial) and call.func is _from_coroutine:
            bare[node.name] = node.function
    return Calls(by_node, bare)


def compile_call(node: PlanNode, middleware: Sequence[Middleware] = (), elsewhere: Elsewhere | None = None) -> Call:
    """Give the function that calls a node with its parameters by name, and gives what it returned or yielded.

    A synchronous function runs in a thread. When its time is up its caller goes on and the thread's result is
    dropped; Python cannot stop the thread itself, which has its turn until it ends. The time starts when the call
    does, not while it waits for its turn.

    Args:
        middleware: The first is the outermost. It runs on the event loop, within the call's time and turn.
        elsewhere: Where nodes run whose executor is another process.

    Raises:
        RuntimeError: Such a node has nowhere to run.
    """
    call = _from_elsewhere(node, middleware, elsewhere) if node.runs_elsewhere else _from_here(node, middleware)
    limiter = CapacityLimiter(node.concurrency) if node.concurrency is not None else None
    if not node.is_async and not node.runs_elsewhere:
        return partial(in_turn, call, limiter)
    return partial(_limited, call, limiter) if limiter is not None else call


def _from_here(node: PlanNode, middleware: Sequence[Middleware]) -> Call:
    return _timed(node, _wrapped(node, middleware, _bare_call(node)))


def _from_elsewhere(node: PlanNode, middleware: Sequence[Middleware], elsewhere: Elsewhere | None) -> Call:
    if elsewhere is None:
        raise RuntimeError(f"node '{node.name}' runs on '{node.executor}', which this runner was not given")

    async def call(arguments: dict[str, Any]) -> list[Any]:
        async with elsewhere.place(node) as there:
            return await _timed(node, _wrapped(node, middleware, there))(arguments)

    return call


def _wrapped(node: PlanNode, middleware: Sequence[Middleware], call: Call) -> Call:
    for wrap in reversed(middleware):
        call = wrap(node, call)
    return partial(_checked, node.name, call) if middleware else call


def _timed(node: PlanNode, call: Call) -> Call:
    return call if node.timeout_s is None else partial(_bounded, call, node.timeout_s)


def _bare_call(node: PlanNode) -> Call:
    function = node.function
    if inspect.iscoroutinefunction(function) and not node.is_series:
        return partial(_from_coroutine, function)
    if node.is_async:
        return partial(from_loop, function, is_series=node.is_series)
    is_series = node.is_series or inspect.isgeneratorfunction(function)
    return partial(_from_thread, function, is_series=is_series)


async def _from_coroutine(function: Callable[..., Any], arguments: dict[str, Any]) -> list[Any]:
    """Call what most nodes are: it gives one message, or none."""
    return given(await function(**arguments))


def given(returned: Any) -> list[Any]:  # noqa: ANN401 - what a user's function returned
    """Give what a coroutine function returned as the list of its outputs."""
    if returned is None:
        return []
    return list(cast("Iterable[Any]", returned)) if isinstance(returned, (list, tuple)) else [returned]


async def from_loop(function: Callable[..., Any], arguments: dict[str, Any], *, is_series: bool) -> list[Any]:
    """Call a node's function on the event loop; gives what it returned or yielded."""
    returned = function(**arguments)
    if inspect.isawaitable(returned):
        returned = await returned
    if hasattr(returned, "__aiter__"):
        return await _from_series(returned)
    return listed(returned, is_series=is_series)


async def _from_series(series: AsyncIterator[Any]) -> list[Any]:
    outputs: list[Any] = []
    held: AbstractAsyncContextManager[Any] = aclosing(series) if inspect.isasyncgen(series) else nullcontext()
    async with held:
        async for output in series:
            outputs.append(output)
            if len(outputs) % _TURN == 0:
                await turn()
    return outputs


async def _from_thread(function: Callable[..., Any], arguments: dict[str, Any], *, is_series: bool) -> list[Any]:
    is_left = False

    def call() -> list[Any]:  # a generator's body must run in the thread too
        returned = function(**arguments)
        if inspect.isgenerator(returned):
            returned = takewhile(lambda _: not is_left, returned)
        return listed(returned, is_series=is_series)

    try:
        return await in_thread(call)
    finally:
        is_left = True


async def _bounded(call: Call, timeout_s: float, arguments: dict[str, Any]) -> list[Any]:
    with anyio.move_on_after(timeout_s):
        return await call(arguments)
    raise NodeTimeoutError(f"it took longer than its timeout of {timeout_s:g} s")


async def _checked(name: str, call: Call, arguments: dict[str, Any]) -> list[Any]:
    returned = await call(arguments)
    if not isinstance(returned, list):  # pyright: ignore[reportUnnecessaryIsInstance] - of who checks no types
        kind = type(returned).__name__
        raise TypeError(f"the middleware around node '{name}' gave a {kind}; it gives the list that the call gave")
    return returned


async def _limited(call: Call, limiter: CapacityLimiter, arguments: dict[str, Any]) -> list[Any]:
    async with limiter:
        return await call(arguments)


def listed(returned: Any, *, is_series: bool) -> list[Any]:  # noqa: ANN401 - what a user's function returned
    """Give what a node's function returned as the list of its outputs."""
    if returned is None:
        return []
    if isinstance(returned, (Drop, Retry, Suspend, To)):  # may stand in place of a series
        return [returned]
    if not is_series and not isinstance(returned, (list, tuple)):
        return [returned]
    return list(cast("Iterable[Any]", returned))
