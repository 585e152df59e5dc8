"""The life of a process that runs nodes: start-up hooks, the container, shutdown hooks."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import structlog

from headrace.graph.function_names import name_of
from headrace.graph.plan import ExecutionPlan
from headrace.kernel.cancellation import was_cancelled
from headrace.kernel.inject import Injector
from headrace.kernel.journal import NodeCancelledError, as_failure

_log = structlog.get_logger("headrace.kernel")


@asynccontextmanager
async def lifecycle(
    plan: ExecutionPlan, end_failed: Callable[[Exception], object] | None = None
) -> AsyncIterator[Injector]:
    """Live through a plan's hooks, once a process, however many of its groups run there.

    Shutdown hooks all run, whatever happened, a failed start-up included; their errors are logged and never hide the
    first one.

    Args:
        end_failed: Is told of each of these errors; without it the first one is raised, where nothing else went wrong.

    Yields:
        The process's container.
    """
    injector = Injector(plan.providers)
    errors: list[BaseException] = []
    try:
        for hook in plan.on_startup:
            await _begun(hook)
        yield injector
    finally:
        ends = (*plan.on_shutdown, *((injector.aclose,) if injector.is_open else ()))
        if ends:
            with anyio.CancelScope(shield=True):  # also where a scope around this one was cancelled
                errors = [error for end in ends if (error := await _ended(end)) is not None]
        if end_failed is not None:
            for error in errors:
                if isinstance(error, Exception):
                    end_failed(error)
            errors = [error for error in errors if not isinstance(error, Exception)]
    if errors:  # reached only where nothing else went wrong
        raise errors[0]


async def _begun(hook: Callable[[], Any]) -> None:
    try:
        await _call(hook)
    except asyncio.CancelledError as raised:
        error = as_failure(raised)
        if error is None:
            raise
        raise error from raised


async def _ended(end: Callable[[], Any]) -> BaseException | None:
    try:
        await _call(end)
    except BaseException as error:  # noqa: BLE001 - the others must still run, and what is no error is raised after them
        _log.exception("shutdown_failed", hook=name_of(end))
        is_own = isinstance(error, asyncio.CancelledError) and not was_cancelled()
        return NodeCancelledError() if is_own else error
    return None


async def _call(hook: Callable[[], Any]) -> None:
    made = hook()
    if inspect.isawaitable(made):
        await made
