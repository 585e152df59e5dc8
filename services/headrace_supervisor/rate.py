"""How fast a counter moves, of which readings come now and then. Pure."""

from collections import deque

_OVER_S = 5.0


class Rate:
    """The speed of a counter over the last seconds."""

    def __init__(self, *, over_s: float = _OVER_S) -> None:
        self._over_s = over_s
        self._readings: deque[tuple[float, int]] = deque()

    def take(self, count: int, now_s: float) -> None:
        """Take a reading."""
        self._readings.append((now_s, count))
        while self._readings[0][0] < now_s - self._over_s:
            self._readings.popleft()

    def forget(self) -> None:
        """Forget the readings: the counter begins again."""
        self._readings.clear()

    def per_s(self, now_s: float) -> float:
        """Give the speed; 0 where there are too few readings, or none that is not old."""
        if len(self._readings) < 2 or self._readings[-1][0] < now_s - self._over_s:  # noqa: PLR2004 - a difference needs two
            return 0.0
        (first_s, first), (last_s, last) = self._readings[0], self._readings[-1]
        return (last - first) / (last_s - first_s) if last_s > first_s else 0.0
