"""A group's stream in one process: entries in order, handed out under leases, deleted by their commit."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from headrace.ledger.values import Delivery, Entry

_RETURN_S = (
    1.0  # a worker that has lost its connection and lives is back within some ms, on a loaded machine within this
)


@dataclass(slots=True)
class _Lease:
    consumer: str
    deliveries: int
    since_s: float


class MemoryStream:
    """Holds the entries of one group.

    Args:
        new_id: Gives each entry its id.
    """

    def __init__(self, new_id: Callable[[], str]) -> None:
        self._new_id = new_id
        self._entries: dict[str, Entry] = {}
        self._since_s: dict[str, float] = {}
        self._new: deque[str] = deque()
        self._leases: dict[str, _Lease] = {}
        self._seen_s: dict[str, float] = {}
        self._left_s: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def has_new(self) -> bool:
        """Whether there are entries never handed out."""
        return bool(self._new)

    def oldest_s(self, now_s: float) -> float:
        """Give the age of the oldest entry in seconds; 0 where there is none."""
        return now_s - next(iter(self._since_s.values()), now_s)

    def append(self, entry: Entry, now_s: float) -> None:
        """Add an entry at the end."""
        entry_id = self._new_id()
        self._entries[entry_id] = entry
        self._since_s[entry_id] = now_s
        self._new.append(entry_id)

    def read(self, consumer: str, limit: int, now_s: float) -> list[Delivery]:
        """Hand out entries never handed out."""
        self._see(consumer, now_s)
        ids = [self._new.popleft() for _ in range(min(limit, len(self._new)))]
        for entry_id in ids:
            self._leases[entry_id] = _Lease(consumer, 1, now_s)
        return [self._delivery(entry_id) for entry_id in ids]

    def claim(self, consumer: str, limit: int, idle_s: float, now_s: float) -> list[Delivery]:
        """Hand out again what has been idle for so long, or is held by who has left and not come back."""
        self._see(consumer, now_s)
        gone = {name for name, left_s in self._left_s.items() if now_s - left_s >= _RETURN_S}
        stale = [
            entry_id
            for entry_id, lease in self._leases.items()
            if now_s - lease.since_s >= idle_s or lease.consumer in gone
        ][:limit]
        for entry_id in stale:  # taken out and put in last, so that claims come round to every entry
            self._leases[entry_id] = _Lease(consumer, self._leases.pop(entry_id).deliveries + 1, now_s)
        return [self._delivery(entry_id) for entry_id in stale]

    def extend(self, consumer: str, deliveries: Sequence[Delivery], now_s: float) -> list[bool]:
        """Renew leases, where the consumer still holds them by the same token; with none it says that it is there."""
        self._see(consumer, now_s)
        return [self._extend(consumer, delivery, now_s) for delivery in deliveries]

    def leave(self, consumer: str, now_s: float) -> None:
        """Note that a consumer cannot be reached; what it holds is handed out again unless it is soon heard of."""
        if consumer in self._seen_s:
            self._left_s[consumer] = now_s

    def sweep(self, silent_since_s: float) -> int:
        """Forget consumers that hold nothing and have been silent since then."""
        holders = {lease.consumer for lease in self._leases.values()}
        silent = [name for name, seen_s in self._seen_s.items() if seen_s <= silent_since_s and name not in holders]
        for name in silent:
            del self._seen_s[name]
            self._left_s.pop(name, None)
        return len(silent)

    def acknowledge(self, entry_id: str) -> bool:
        """Delete a handed-out entry; False where it is gone."""
        if self._leases.pop(entry_id, None) is None:
            return False
        del self._entries[entry_id], self._since_s[entry_id]
        return True

    def _see(self, consumer: str, now_s: float) -> None:
        self._seen_s[consumer] = now_s
        self._left_s.pop(consumer, None)

    def _extend(self, consumer: str, delivery: Delivery, now_s: float) -> bool:
        lease = self._leases.get(delivery.id)
        if lease is None or (lease.consumer, lease.deliveries) != (consumer, delivery.deliveries):
            return False
        lease.since_s = now_s
        return True

    def _delivery(self, entry_id: str) -> Delivery:
        return Delivery(0, entry_id, self._leases[entry_id].deliveries, self._entries[entry_id])
