"""Who waits at a channel, in order of arrival. Whoever is woken is promised what it waits for, until it has looked.

Messages are never handed to a waiter: they stay where they are until somebody takes them, in one step. So a wait that
is cancelled, by whatever library, and a `select` that takes another one, lose nothing. A promise keeps away those who
come later, so that nobody waits while others are served again and again.
"""

from collections import OrderedDict
from collections.abc import Callable

from anyio import Event

from headrace.kernel.loop import Bell, new_bell

Bells = set[Event | Bell]  # of those who wait at one end


class Waiters:
    """Those who wait for the same.

    Args:
        is_worth_it: Whether there is more of what they wait for than a number of them.
    """

    __slots__ = ("_is_worth_it", "_waiting", "_woken")

    def __init__(self, is_worth_it: Callable[[int], bool]) -> None:
        self._is_worth_it = is_worth_it
        # a dict is slow to find its first again and again
        self._waiting: OrderedDict[Event | Bell, None] = OrderedDict()
        self._woken: Bells = set()

    @property
    def promised(self) -> int:
        """How many were woken and have not looked yet."""
        return len(self._woken)

    def join(self, event: Event | Bell, at: Bells) -> None:
        """Have an event set when a look is worth it, or the end where it waits is closed."""
        self._waiting[event] = None
        at.add(event)

    def leave(self, event: Event | Bell, at: Bells) -> None:
        """Take an event back, with what it was promised: whoever had it looks now, or calls `pass_on`."""
        self._woken.discard(event)
        self._waiting.pop(event, None)
        at.discard(event)

    def pass_on(self) -> None:
        """Wake the next ones where there is something that nobody was promised."""
        while self._waiting and self._is_worth_it(len(self._woken)):
            self.wake()

    def wake(self) -> None:
        """Wake the one that waits longest, for what has just come."""
        if self._waiting:
            event, _ = self._waiting.popitem(last=False)
            self._woken.add(event)
            event.set()

    def wake_all(self) -> None:
        """Wake all: there is something for each, or nothing for any ever again. What was promised is so no more."""
        self._woken.clear()
        while self._waiting:
            self._waiting.popitem(last=False)[0].set()

    def wake_at(self, closed: Bells) -> None:
        """Wake those who wait at an end that was closed; what they were promised is for the next."""
        for event in closed:
            self._woken.discard(event)
            self._waiting.pop(event, None)
            event.set()
        self.pass_on()

    async def wait(self, at: Bells) -> None:
        """Wait at an end to be woken, and look then at once."""
        event = new_bell()
        self.join(event, at)
        try:
            await event.wait()
        except BaseException:
            self.leave(event, at)
            self.pass_on()  # woken and cancelled at once: the next one must look in its place
            raise
        self._woken.discard(event)
        at.discard(event)
