"""An answer that many ask for and that is made seldom: however many look on, the bus is asked once a second."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from headrace.errors import BusError

T = TypeVar("T")
_LEAST_S = 1.0
_REST = 10  # an answer is kept for at least so many times as long as it took to make


class Fresh(Generic[T]):
    """Keeps the newest answer of a look for a second, and longer where the look is dear."""

    def __init__(self, look: Callable[[], Awaitable[T]], *, least_s: float = _LEAST_S) -> None:
        self._look = look
        self._least_s = least_s
        self._asking = asyncio.Lock()
        self._until_s = float("-inf")
        self._answer: Callable[[], T] | None = None

    async def get(self) -> T:
        """Give the answer; whoever comes while it is made waits for it.

        Raises:
            BusError: The look failed; whoever asks within the second is told the same.
        """
        async with self._asking:
            now_s = asyncio.get_running_loop().time
            if self._answer is None or now_s() >= self._until_s:
                began_s = now_s()
                self._answer = await self._asked()
                self._until_s = now_s() + max(self._least_s, _REST * (now_s() - began_s))
            return self._answer()

    async def _asked(self) -> Callable[[], T]:
        try:
            value = await self._look()
        except BusError as error:
            failed = error

            def fail() -> T:
                raise failed

            return fail
        return lambda: value
