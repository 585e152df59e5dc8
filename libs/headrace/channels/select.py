"""`select`: the first message of several receivers. It looks, it does not race, so the others keep what they have."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from headrace.channels.end import ReceivingEnd
from headrace.channels.ends import Lagged, Nothing, Received
from headrace.errors import ChannelClosedError, ChannelLaggedError
from headrace.kernel.loop import new_bell, turn

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Selected(Generic[T]):
    """A message, and the place of its receiver among those that were given."""

    place: int
    value: T


async def select(*receivers: ReceivingEnd[T], is_biased: bool = False) -> Selected[T]:
    """Wait for the first message of any of the receivers, and take that one alone.

    Receivers that are closed and drained are passed over.

    Args:
        is_biased: Where several have one, the first of them is served; otherwise each has the same chance.

    Raises:
        TypeError: One is no receiver within this process.
        ChannelClosedError: All of them are closed and drained.
        ChannelLaggedError: One of a broadcast has missed messages.
    """
    for receiver in receivers:
        if not isinstance(receiver, ReceivingEnd):  # pyright: ignore[reportUnnecessaryIsInstance] - of who checks no types
            raise TypeError(f"select takes receivers within this process, and no {type(receiver).__name__}")
    await turn()
    places = range(len(receivers))
    has_looked = False
    while True:
        try:
            if has_looked:
                await _wait(receivers)
            selected, is_open = _look(receivers, places if is_biased else random.sample(places, len(places)))
            has_looked = True
        finally:
            for receiver in receivers:
                receiver.waiters.pass_on()
        if selected is not None:
            return selected
        if not is_open:
            raise ChannelClosedError("no sender of any receiver is left, and all was received")


def _look(receivers: tuple[ReceivingEnd[T], ...], places: Sequence[int]) -> tuple[Selected[T] | None, bool]:
    """Take the first message there is; tell whether one may still come."""
    is_open = False
    for place in places:
        match receivers[place].take():
            case Received(value):
                return Selected(place, value), True
            case Lagged(missed):
                raise ChannelLaggedError(missed)
            case Nothing.EMPTY:
                is_open = True
            case Nothing.CLOSED:
                pass
    return None, is_open


async def _wait(receivers: tuple[ReceivingEnd[T], ...]) -> None:
    event = new_bell()
    for receiver in receivers:
        receiver.waiters.join(event, receiver.bells)
    try:
        await event.wait()
    finally:
        for receiver in receivers:
            receiver.waiters.leave(event, receiver.bells)
