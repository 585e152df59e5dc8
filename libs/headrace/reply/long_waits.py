"""Which runs have been waited for long and are to be asked for: a few at a time, each in its turn. Pure."""

from collections.abc import Collection


class LongWaits:
    """Remembers since when runs have been seen waited for, so that short waits cost nothing.

    Args:
        after_s: Seconds of waiting from which a run is asked for.
        limit: The most to ask for at a time.
    """

    def __init__(self, after_s: float, limit: int) -> None:
        self._after_s = after_s
        self._limit = limit
        self._since_s: dict[str, float] = {}
        self._asked: set[str] = set()

    def due(self, waiting: Collection[str], now_s: float) -> list[str]:
        """Give the runs to ask for now; none again before all others had their turn.

        Args:
            waiting: What is waited for now.
        """
        self._since_s = {trace_id: self._since_s.get(trace_id, now_s) for trace_id in waiting}
        long = [trace_id for trace_id, since_s in self._since_s.items() if now_s - since_s >= self._after_s]
        due = [trace_id for trace_id in long if trace_id not in self._asked]
        if not due:
            self._asked.clear()
            due = long
        del due[self._limit :]
        self._asked.update(due)
        return due
