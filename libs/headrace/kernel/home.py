"""Where a run lives: its event loop's thread, and the way back there from another; on asyncio and on trio."""

import asyncio
import sys
from collections.abc import Callable
from threading import get_ident
from typing import Any

from msgspec import Struct


class Home(Struct, frozen=True):
    """An event loop, as a thread beside it sees it.

    Attributes:
        thread: Its thread.
        post: Has a function called there soon, from any thread.
    """

    thread: int
    post: Callable[..., Any]

    def is_here(self) -> bool:
        """Whether this is its thread."""
        return get_ident() == self.thread


def here() -> Home:
    """Give the home of whoever calls this from within an event loop."""
    try:
        post: Callable[..., Any] = asyncio.get_running_loop().call_soon_threadsafe
    except RuntimeError:
        post = sys.modules["trio"].lowlevel.current_trio_token().run_sync_soon  # running on it, it is imported
    return Home(get_ident(), post)
