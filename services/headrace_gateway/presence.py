"""A caller's presence: while a request waits, a caller who hangs up ends the wait.

Only waits that last are watched: to watch costs a task, and most answers come before a caller could have gone.
"""

import asyncio
from types import TracebackType
from typing import cast

from starlette.requests import ClientDisconnect
from starlette.types import Receive

WATCHED_AFTER_S = 0.05  # a hang-up before that is noticed then; two turns of a loaded loop, and no caller's patience


class Presence:
    """Cancels what its context waits for, once the caller has gone; the request's body must have been read.

    Args:
        receive: Gives the request's messages.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._watching: asyncio.Task[None] | None = None
        self._is_gone = False

    def __enter__(self) -> None:
        """Begin, within a task."""
        loop = asyncio.get_running_loop()
        self._waiting = cast("asyncio.Task[object]", asyncio.current_task(loop))
        self._timer = loop.call_later(WATCHED_AFTER_S, self._watch)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End.

        Raises:
            ClientDisconnect: The caller has gone, and the wait was ended for that.
        """
        self._timer.cancel()
        if self._watching is not None:
            self._watching.cancel()
        if self._is_gone and self._waiting.uncancel() == 0 and isinstance(error, asyncio.CancelledError):
            raise ClientDisconnect from error

    def _watch(self) -> None:
        self._watching = asyncio.get_running_loop().create_task(self._until_gone(), name="presence")

    async def _until_gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._is_gone = True
        self._waiting.cancel()  # here, not in a callback, which could come when the wait has ended
