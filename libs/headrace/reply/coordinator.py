"""The reply coordinator: matches terminal events to the processes that wait for them, by trace_id.

It lives in the process (memory profile), in a service of its own with any number of replicas, or in a gateway. It sees
terminal events only; nothing on a hop looks at reply data.
"""

import asyncio
from collections import Counter

import structlog

from headrace.bus.protocol import Replies
from headrace.errors import BusError

_log = structlog.get_logger("headrace.reply")
_READ_WAIT_S = 0.5
_READ_LIMIT = 512
_RETRY_S = 0.2  # between reads while the bus is away


class ReplyCoordinator:
    """Matches terminal events to inboxes.

    Args:
        name: This coordinator's name, unique among live ones.

    Attributes:
        counts: `delivered`, `without_waiter`, `dealt_elsewhere`.
        read_s: Loop time of the last completed read.
    """

    def __init__(self, bus: Replies, name: str) -> None:
        self._bus = bus
        self._name = name
        self.counts: Counter[str] = Counter()
        self.read_s = 0.0
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Match until `stop`; what was read is delivered before this returns."""
        self.read_s = asyncio.get_running_loop().time()
        while not self._stopping.is_set():
            try:
                await self._match()
            except BusError as error:
                _log.warning("replies_unreadable", code=error.code)
                await asyncio.sleep(_RETRY_S)

    def stop(self) -> None:
        """Ask `run` to return after the read under way; idempotent, legal before start."""
        self._stopping.set()

    async def _match(self) -> None:
        events = await self._bus.read_replies(self._name, limit=_READ_LIMIT, wait_s=_READ_WAIT_S)
        self.read_s = asyncio.get_running_loop().time()
        if not events:
            return
        inboxes = await self._bus.waiters([event.trace_id for event in events])
        dealt = await self._bus.deliver(list(zip(events, inboxes, strict=True)))
        without = sum(not waiting for waiting in inboxes)
        self.counts["without_waiter"] += without
        self.counts["delivered"] += len(events) - without
        self.counts["dealt_elsewhere"] += len(events) - dealt
