"""What a case asks of a peer: each module beside this one has `connect()`, which gives a `Client`."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

URL = os.environ.get("BENCH_REDIS_URL", "redis://127.0.0.1:7450/0")
BATCH = 256  # messages that are sent before their answers are awaited, where a peer has no bulk call
_THREADS = 64


class Client(Protocol):
    """The sending side of a peer."""

    async def fill(self, role: str, messages: int) -> None:
        """Send messages to `sink` or `first`, without waiting for what becomes of them."""
        ...

    async def ask(self) -> Any:
        """Send one message to `ask` and wait for its answer."""
        ...

    async def fan_out(self, width: int) -> Any:
        """Send one message for `width` pieces of work, and wait until their results are joined."""
        ...


class Threads:
    """Lends threads to the clients of libraries that block."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_THREADS)

    async def run(self, call: Callable[..., Any], *args: object) -> Any:
        """Run a call that blocks."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, call, *args)
