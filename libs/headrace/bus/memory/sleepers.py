"""Who waits for something to come, by what it is; of several that wait for the same, one is woken for it at a time."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence

Channel = tuple[str, str]


class Sleepers:
    """Everybody who waits."""

    def __init__(self) -> None:
        self._waiting: defaultdict[Channel, dict[asyncio.Future[None], None]] = defaultdict(dict)

    async def wait(self, channel: Channel, wait_s: float) -> bool:
        """Wait to be woken; gives whether it was."""
        return await self.wait_any((channel,), wait_s)

    async def wait_any(self, channels: Sequence[Channel], wait_s: float) -> bool:
        """Wait to be woken for any of several; gives whether it was."""
        if wait_s <= 0:
            await asyncio.sleep(0)  # who asks again and again must leave the others a turn
            return False
        sleeper: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        for channel in channels:
            self._waiting[channel][sleeper] = None
        try:
            async with asyncio.timeout(wait_s):
                await sleeper
        except TimeoutError:
            return _is_woken(sleeper)  # both may come at once
        except asyncio.CancelledError:
            self._let_go(channels, sleeper)
            if _is_woken(sleeper):
                for channel in channels:
                    self.wake(channel)  # it will not take what it was woken for
            raise
        finally:
            self._let_go(channels, sleeper)
        return True

    def wake(self, channel: Channel) -> None:
        """Wake the one who has waited longest, unless one is waking up: who leaves something wakes the next."""
        for sleeper in self._waiting.get(channel, ()):
            if _is_woken(sleeper):
                return
            if not sleeper.done():
                sleeper.set_result(None)
                return

    def wake_all(self, channel: Channel) -> None:
        """Wake everybody who waits for it."""
        for sleeper in self._waiting.get(channel, ()):
            if not sleeper.done():
                sleeper.set_result(None)

    def wake_everybody(self) -> None:
        """Wake everybody, whatever for."""
        for channel in self._waiting:
            self.wake_all(channel)

    def _let_go(self, channels: Sequence[Channel], sleeper: asyncio.Future[None]) -> None:
        for channel in channels:
            waiting = self._waiting.get(channel, {})
            waiting.pop(sleeper, None)
            if not waiting:
                self._waiting.pop(channel, None)


def _is_woken(sleeper: asyncio.Future[None]) -> bool:
    return sleeper.done() and not sleeper.cancelled()
