"""Injected parameters: dishka's containers behind the three scopes of a node call.

APP lives as long as the process, REQUEST as long as a hop of a run in this process, STEP for one call. One instance a
scope, asked for by interface or by class alike.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import structlog
from dishka import AsyncContainer, Provider, Scope, make_async_container
from dishka.exceptions import ExitError

from headrace.kernel.journal import NodeTimeoutError

_log = structlog.get_logger("headrace.kernel")


class Injector:
    """The container of one process.

    Args:
        providers: dishka providers, the user's. Without any there is no container until one is asked for: to make it
            costs a thousand calls of a node.
    """

    def __init__(self, providers: tuple[Provider, ...]) -> None:
        self._app: AsyncContainer | None = make_async_container(*providers) if providers else None

    @property
    def is_open(self) -> bool:
        """Whether there is a container to close."""
        return self._app is not None

    @asynccontextmanager
    async def hop(self, end_failed: Callable[[Exception], object] | None = None) -> AsyncIterator[AsyncContainer]:
        """Open the REQUEST scope of a hop.

        Args:
            end_failed: Is told where it cannot be closed, in place of `ExitError`.

        Raises:
            ExitError: A provider failed when its instance was closed, and nothing else went wrong.
        """
        # siblings ask for an instance side by side, and must get the same one
        if self._app is None:
            self._app = make_async_container()
        async with _closing(self._app(lock_factory=anyio.Lock), end_failed) as request:
            yield request

    async def aclose(self) -> None:
        """Close the APP scope and what it holds."""
        if self._app is not None:
            await self._app.close()


@asynccontextmanager
async def step(
    request: AsyncContainer, wanted: Mapping[str, Any], timeout_s: float | None = None
) -> AsyncIterator[dict[str, Any]]:
    """Open the STEP scope of a call.

    Args:
        wanted: Parameter name to type.
        timeout_s: Seconds that making them may take; None for no bound.

    Yields:
        Parameter name to instance.

    Raises:
        NodeTimeoutError: It took longer.
        ExitError: A provider failed when its instance was closed, and nothing else went wrong.
    """
    async with _closing(request(scope=Scope.STEP)) as container:
        made: dict[str, Any] = {}
        with anyio.move_on_after(timeout_s) as scope:
            for name, kind in wanted.items():
                made[name] = await container.get(kind)
        if scope.cancelled_caught:
            raise NodeTimeoutError(f"to make its injected parameters took longer than its timeout of {timeout_s:g} s")
        yield made


@asynccontextmanager
async def _closing(
    container: AsyncContainer, end_failed: Callable[[Exception], object] | None = None
) -> AsyncIterator[AsyncContainer]:
    """Close a container in the end, to its end; that it cannot be closed never hides what went wrong before."""
    first: BaseException | None = None
    try:
        yield container
    except BaseException as raised:
        first = raised
        raise
    finally:
        try:
            with anyio.CancelScope(shield=True):  # also where a scope around this one was cancelled
                await container.close(first)
        except ExitError as error:
            if end_failed is None and first is None:
                raise
            _log.exception("close_failed", scope=container.scope.name)
            if end_failed is not None:
                end_failed(error)
