"""Terminal events on their way in one process: those nobody has taken, and those taken and not yet delivered."""

from collections import deque

from headrace.ledger.values import TerminalEvent

_LEASE_S = 2.0  # a coordinator holds an event for one round trip; after this its reader is taken for dead


class MemoryReplies:
    """The replies stream."""

    def __init__(self) -> None:
        self._new: deque[TerminalEvent] = deque()
        self._taken: dict[str, tuple[TerminalEvent, float]] = {}

    @property
    def has_new(self) -> bool:
        """Whether there are events that nobody has taken."""
        return bool(self._new)

    def append(self, event: TerminalEvent) -> None:
        """Add an event at the end."""
        self._new.append(event)

    def take(self, limit: int, now_s: float) -> list[TerminalEvent]:
        """Hand out events: those whose reader has not delivered them within its lease, then new ones."""
        events: list[TerminalEvent] = []
        for event, since_s in self._taken.values():  # in the order in which they were taken
            if now_s - since_s < _LEASE_S or len(events) == limit:
                break
            events.append(event)
        events += [self._new.popleft() for _ in range(min(limit - len(events), len(self._new)))]
        for event in events:
            self._taken.pop(event.id, None)
            self._taken[event.id] = event, now_s
        return events

    def deal_with(self, event: TerminalEvent) -> bool:
        """Acknowledge an event; False where that was done before."""
        return self._taken.pop(event.id, None) is not None
