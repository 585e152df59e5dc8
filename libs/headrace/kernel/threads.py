"""Synchronous functions in threads, a bounded number at a time.

A thread cannot be stopped. Whoever waits for one that is cancelled goes on at once, but the turn that it has among the
calls of its node is free only when the thread has ended: so no more threads run than the bound says, on either back
end. asyncio's own, by anyio, would let the next begin; trio's keeps the turn too.
"""

import math
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import suppress
from contextvars import ContextVar
from typing import TypeVar

from anyio import CapacityLimiter, to_thread

from headrace.kernel.home import here

A = TypeVar("A")
T = TypeVar("T")


class Turn:
    """A place among those that a limiter has; given back when its caller, and all threads begun in it, have ended.

    Args:
        limiter: Has given it one place.
    """

    def __init__(self, limiter: CapacityLimiter) -> None:
        self._limiter = limiter
        self._holders = 1

    def leave(self) -> None:
        """Hold it no more."""
        self._holders -= 1
        if not self._holders:
            self._limiter.release_on_behalf_of(self)

    def hold_until(self, ended: Future[None]) -> None:
        """Hold it until a thread that nobody waits for has ended."""
        self._holders += 1
        post = here().post

        def leave(_: Future[None]) -> None:
            with suppress(RuntimeError):  # the event loop is closed, and its limiter nobody's
                post(self.leave)

        ended.add_done_callback(leave)


_turn: ContextVar[Turn] = ContextVar("headrace_turn")


async def in_turn(call: Callable[[A], Awaitable[T]], limiter: CapacityLimiter | None, arguments: A) -> T:
    """Make a call when it is its turn, for functions that `in_thread` runs within it.

    Args:
        limiter: Has the turns; None for the one that all threads of the event loop share.
    """
    if limiter is None:
        limiter = to_thread.current_default_thread_limiter()
    turn = Turn(limiter)
    await limiter.acquire_on_behalf_of(turn)
    token = _turn.set(turn)
    try:
        return await call(arguments)
    finally:
        _turn.reset(token)
        turn.leave()


async def in_thread(function: Callable[[], T]) -> T:
    """Call a function in a thread, within a turn.

    Cancelled before the thread took it up, the function is not called; later, its result is dropped.
    """
    ended: Future[None] = Future()

    def call() -> T:
        if not ended.set_running_or_notify_cancel():
            raise RuntimeError("nobody waits for this call")
        try:
            return function()
        finally:
            ended.set_result(None)

    try:  # bounded by the turn; a limiter is of one event loop
        return await to_thread.run_sync(call, abandon_on_cancel=True, limiter=CapacityLimiter(math.inf))
    finally:
        if not ended.done() and not ended.cancel():
            _turn.get().hold_until(ended)
