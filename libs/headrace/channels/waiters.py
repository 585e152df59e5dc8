"""Who waits at a channel, in order of arrival. Whoever is woken is promised what it waits for, until it has looked.

Messages are never handed to a waiter: they stay where they are until somebody takes them, in one step. So a wait that
is cancelled, by whatever library, and a `select` that takes another one, lose nothing. A promise keeps away those who
come later, so that nobody waits while others are served again and again.
"""

from collections.abc import Callable

from anyio import Event

from headrace.kernel.loop import Bell, new_bell


class Waiters:
    """Those who wait for the same.

    Args:
        is_worth_it: Whether there is more of what they wait for than a number of them.
    """

    def __init__(self, is_worth_it: Callable[[int], bool]) -> None:
        self._is_worth_it = is_worth_it
        self._waiting: dict[Event | Bell, None] = {}
        self._woken: set[Event | Bell] = set()

    @property
    def promised(self) -> int:
        """How many were woken and have not looked yet."""
        return len(self._woken)

    def join(self, event: Event | Bell) -> None:
        """Have an event set when a look is worth it."""
        self._waiting[event] = None

    def leave(self, event: Event | Bell) -> None:
        """Take an event back, with what it was promised: whoever had it looks now, or calls `pass_on`."""
        self._woken.discard(event)
        self._waiting.pop(event, None)

    def pass_on(self) -> None:
        """Wake the next one where there is something that nobody was promised."""
        if self._waiting and self._is_worth_it(len(self._woken)):
            self.wake()

    def wake(self) -> None:
        """Wake the one that waits longest, for what has just come."""
        if self._waiting:
            event = next(iter(self._waiting))
            del self._waiting[event]
            self._woken.add(event)
            event.set()

    def wake_all(self) -> None:
        """Wake all: there is something for each, or nothing for any ever again. What was promised is so no more."""
        self._woken.clear()
        waiting, self._waiting = self._waiting, {}
        for event in waiting:
            event.set()

    async def wait(self) -> None:
        """Wait to be woken, and look then at once."""
        event = new_bell()
        self.join(event)
        try:
            await event.wait()
        except BaseException:
            self.leave(event)
            self.pass_on()  # woken and cancelled at once: the next one must look in its place
            raise
        self._woken.discard(event)
