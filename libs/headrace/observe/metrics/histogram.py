"""A histogram that costs a look-up and two additions an observation; whoever asks for it puts it together."""

from bisect import bisect_left
from collections.abc import Sequence

DURATIONS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""From what a hop takes to what a caller waits."""


class Histogram:
    """Counts observations by their size.

    Args:
        bounds: The greatest value of each bucket, ascending; greater ones are counted beside them.

    Attributes:
        counts: Observations of each bucket, and last of those beyond.
        total: The sum of all observations.
    """

    def __init__(self, bounds: Sequence[float] = DURATIONS_S) -> None:
        self._bounds = tuple(bounds)
        self.counts = [0] * (len(self._bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count an observation."""
        self.counts[bisect_left(self._bounds, value)] += 1
        self.total += value

    def buckets(self) -> list[tuple[str, int]]:
        """Give each bound with how many observations were no greater, as Prometheus has them."""
        names, seen, below = (*map(str, self._bounds), "+Inf"), 0, list[tuple[str, int]]()
        for name, count in zip(names, tuple(self.counts), strict=True):
            seen += count
            below.append((name, seen))
        return below
