"""Inboxes in one process: the terminal events of each waiter's process, until it takes them."""

from collections import OrderedDict, deque

from headrace.ledger.values import TerminalEvent

_KEPT_S = 3600.0  # who lives asks twice a second; an inbox that nobody reads is of a process that died


class Inboxes:
    """Every inbox, the one that was read longest ago first."""

    def __init__(self) -> None:
        self._inboxes: OrderedDict[str, deque[TerminalEvent]] = OrderedDict()
        self._read_s: dict[str, float] = {}

    def put(self, inbox: str, event: TerminalEvent, now_s: float) -> None:
        """Put an event into an inbox."""
        self._forget_unread(now_s)
        if inbox not in self._inboxes:
            self._see(inbox, now_s)
        self._inboxes[inbox].append(event)

    def take(self, inbox: str, limit: int, now_s: float) -> list[TerminalEvent]:
        """Take what is first in an inbox."""
        self._see(inbox, now_s)
        events = self._inboxes[inbox]
        return [events.popleft() for _ in range(min(limit, len(events)))]

    def _see(self, inbox: str, now_s: float) -> None:
        self._inboxes.setdefault(inbox, deque())
        self._inboxes.move_to_end(inbox)
        self._read_s[inbox] = now_s

    def _forget_unread(self, now_s: float) -> None:
        while self._inboxes:
            oldest = next(iter(self._inboxes))
            if now_s - self._read_s[oldest] < _KEPT_S:
                return
            del self._inboxes[oldest], self._read_s[oldest]
