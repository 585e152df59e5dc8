"""Which deliveries have been under way for long, found by looking now and then: reading and committing pay nothing."""

from collections.abc import Collection

Key = tuple[int, str]


class SlowHops:
    """Remembers since when deliveries have been seen under way.

    Args:
        after_s: Seconds under way from which a delivery is slow.
    """

    def __init__(self, after_s: float) -> None:
        self._after_s = after_s
        self._since_s: dict[Key, float] = {}
        self._told: set[Key] = set()

    def look(self, held: Collection[Key], now_s: float) -> list[tuple[Key, float]]:
        """Give those that have become slow, each once, with the seconds since they were first seen.

        Args:
            held: What is under way now.
        """
        self._since_s = {key: self._since_s.get(key, now_s) for key in held}
        self._told.intersection_update(self._since_s)
        slow = [
            (key, now_s - since_s)
            for key, since_s in self._since_s.items()
            if now_s - since_s >= self._after_s and key not in self._told
        ]
        self._told.update(key for key, _ in slow)
        return slow
