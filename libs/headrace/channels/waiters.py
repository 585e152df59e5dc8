"""Who waits at a channel, in order of arrival. A wake-up is a hint: whoever is woken looks again.

Messages are never handed to a waiter: they stay where they are until somebody takes them, in one step. So a wait that
is cancelled, by whatever library, and a `select` that takes another one, lose nothing.
"""

from collections.abc import Callable

from anyio import Event


class Waiters:
    """Those who wait for the same.

    Args:
        is_worth_it: Whether a waiter would find what it waits for.
    """

    def __init__(self, is_worth_it: Callable[[], bool]) -> None:
        self._is_worth_it = is_worth_it
        self._waiting: dict[Event, None] = {}

    def join(self, event: Event) -> None:
        """Have an event set when a look is worth it."""
        self._waiting[event] = None

    def leave(self, event: Event) -> None:
        """Take it back, whether it was set or not; who was woken and did not take it all wakes the next."""
        if event in self._waiting:
            del self._waiting[event]
        elif self._waiting and self._is_worth_it():
            self.wake()

    def wake(self) -> None:
        """Wake the one that waits longest."""
        if self._waiting:
            event = next(iter(self._waiting))
            del self._waiting[event]
            event.set()

    def wake_all(self) -> None:
        """Wake all: there is something for each, or nothing for any ever again."""
        waiting, self._waiting = self._waiting, {}
        for event in waiting:
            event.set()

    async def wait(self) -> None:
        """Wait to be woken."""
        event = Event()
        self.join(event)
        try:
            await event.wait()
        except BaseException:
            self.leave(event)  # woken and cancelled at once: the next one must look in its place
            raise
