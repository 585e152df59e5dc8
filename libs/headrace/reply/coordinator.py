"""The reply coordinator: matches terminal events to the processes that wait for them, by trace_id.

It lives in the process (memory profile), in a service of its own with any number of replicas, or in a gateway. It sees
terminal events only; nothing on a hop looks at reply data.
"""

import asyncio
from collections import Counter

import structlog

from headrace.bus.protocol import Replies
from headrace.errors import BusError, BusUnavailableError
from headrace.ledger.values import TerminalEvent
from headrace.observe.traces import Traces

_log = structlog.get_logger("headrace.reply")
_READ_WAIT_S = 0.5
_READ_LIMIT = 512
_RETRY_S = 0.2  # between reads while the bus is away


class ReplyCoordinator:
    """Matches terminal events to inboxes.

    Args:
        name: This coordinator's name, unique among live ones.
        traces: Told of what is delivered.

    Attributes:
        counts: `delivered`, `without_waiter`, `dealt_elsewhere`.
        read_s: Loop time of the last completed read.
        turn_s: Loop time of the last turn of the reader, whose read may have failed.
    """

    is_full = False  # it holds nothing back

    def __init__(self, bus: Replies, name: str, *, traces: Traces | None = None) -> None:
        self._bus = bus
        self._name = name
        self._traces = traces
        self.counts: Counter[str] = Counter()
        self.read_s = 0.0
        self.turn_s = 0.0
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Match until `stop`; what was read is delivered before this returns.

        While the bus is away what was read is kept in hand. What then is left at a stop was not acknowledged, and
        another coordinator delivers it.
        """
        self.read_s = asyncio.get_running_loop().time()
        events: list[TerminalEvent] = []
        while not self._stopping.is_set():
            self.turn_s = asyncio.get_running_loop().time()
            try:
                events = events or await self._read()
                await self._match(events)
                events = []
            except BusError as error:
                _log.warning("replies_unreadable", code=error.code)
                if not isinstance(error, BusUnavailableError):
                    events = []  # what the bus refuses must not hold up the others; it is handed out again
                await asyncio.sleep(_RETRY_S)

    def stop(self) -> None:
        """Ask `run` to return after the read under way; idempotent, legal before start."""
        self._stopping.set()

    async def _read(self) -> list[TerminalEvent]:
        events = await self._bus.read_replies(self._name, limit=_READ_LIMIT, wait_s=_READ_WAIT_S)
        self.read_s = asyncio.get_running_loop().time()
        return events

    async def _match(self, events: list[TerminalEvent]) -> None:
        if not events:
            return
        started_s = asyncio.get_running_loop().time()
        inboxes = await self._bus.waiters([event.trace_id for event in events])
        dealt = await self._bus.deliver(list(zip(events, inboxes, strict=True)))
        if self._traces is not None:
            took_s = asyncio.get_running_loop().time() - started_s
            for event, waiting in zip(events, inboxes, strict=True):
                self._traces.replied(event, waiting, took_s)
        without = sum(not waiting for waiting in inboxes)
        self.counts["without_waiter"] += without
        self.counts["delivered"] += len(events) - without
        self.counts["dealt_elsewhere"] += len(events) - dealt
