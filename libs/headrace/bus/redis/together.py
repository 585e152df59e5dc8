"""Calls made side by side, sent as one: those of one turn of the event loop, and those made while one is under way.

So the more callers there are, the fewer round trips each costs. Whoever calls first sends for all who wait then, and
hands the next sending to one of those who came meanwhile; no task stands beside them.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from headrace.errors import BusError, BusFullError, BusUnavailableError

Asked = TypeVar("Asked")
Given = TypeVar("Given")


class _Call(Generic[Asked, Given]):
    """One caller's part; its future gives the answers, or None to the one who is to send next."""

    def __init__(self, asked: Sequence[Asked]) -> None:
        self.asked = asked
        self.future: asyncio.Future[list[Given] | None] = asyncio.get_running_loop().create_future()


class Together(Generic[Asked, Given]):
    """Sends what many ask, in the order in which it was asked.

    Args:
        send: Sends all of it; gives an answer for each. Sending again must be safe.
        limit: The most calls that are sent as one.
    """

    def __init__(self, send: Callable[[Sequence[Asked]], Awaitable[list[Given]]], limit: int) -> None:
        self._send = send
        self._limit = limit
        self._waiting: deque[_Call[Asked, Given]] = deque()
        self._is_sending = False

    async def ask(self, asked: Sequence[Asked]) -> list[Given]:
        """Ask; raises as `send`. What spoils a sending of several is asked alone, so that it spoils no other's."""
        call: _Call[Asked, Given] = _Call(asked)
        self._waiting.append(call)
        if self._is_sending:
            try:
                answers = await call.future
            except asyncio.CancelledError:
                if call.future.done() and not call.future.cancelled() and _is_turn(call):
                    self._hand_over()
                raise
            if answers is not None:
                return answers
        return await self._lead(call)

    async def _lead(self, own: _Call[Asked, Given]) -> list[Given]:
        self._is_sending = True
        batch: list[_Call[Asked, Given]] = []
        try:
            await asyncio.sleep(0)  # whatever else is asked in this turn of the loop goes along
            self._waiting.remove(own)  # first in the queue, but for callers who have gone
            batch.append(own)
            while self._waiting and len(batch) < self._limit:
                call = self._waiting.popleft()
                if not call.future.done():
                    batch.append(call)
            return await self._send_all(batch)
        except asyncio.CancelledError:  # this caller goes, and the others' are asked again
            self._waiting.extendleft(call for call in reversed(batch) if call is not own)
            raise
        finally:
            if own in self._waiting:
                self._waiting.remove(own)
            self._hand_over()

    async def _send_all(self, batch: list[_Call[Asked, Given]]) -> list[Given]:
        """Give the answers of the first; tell the others theirs."""
        own, *others = batch
        try:
            answers = await self._send([one for call in batch for one in call.asked])
        except Exception as error:
            if not others:
                raise
            is_of_one = isinstance(error, BusError) and not isinstance(error, BusUnavailableError | BusFullError)
            for call in others:
                if is_of_one:
                    await self._send_alone(call)
                else:
                    _fail(call, error)
            if is_of_one:
                return await self._send(own.asked)
            raise
        given = iter(answers)
        results = [[next(given) for _ in call.asked] for call in batch]
        for call, result in zip(others, results[1:], strict=True):
            if not call.future.done():
                call.future.set_result(result)
        return results[0]

    async def _send_alone(self, call: _Call[Asked, Given]) -> None:
        try:
            result = await self._send(call.asked)
        except BusError as error:
            _fail(call, error)
        else:
            if not call.future.done():
                call.future.set_result(result)

    def _hand_over(self) -> None:
        for call in self._waiting:
            if not call.future.done():
                call.future.set_result(None)
                return
        self._waiting.clear()
        self._is_sending = False


def _is_turn(call: _Call[Asked, Given]) -> bool:
    return call.future.exception() is None and call.future.result() is None


def _fail(call: _Call[Asked, Given], error: Exception) -> None:
    if not call.future.done():
        call.future.set_exception(error)
        call.future.exception()  # whoever asked is told; that it has gone meanwhile is no error
