"""How fast something drains, seen from the outside, and so when to come again. Pure."""

from math import ceil

_WINDOW_S = 1.0  # the least that a rate is taken over
_MEMORY_S = 30.0  # what was that long ago says nothing of now
_LONGEST_S = 60


class Drain:
    """The rate at which a count of what is done grows; it is looked at only when somebody must be told."""

    def __init__(self) -> None:
        self._before: tuple[float, int] | None = None
        self._latest: tuple[float, int] | None = None

    def is_due(self, now_s: float) -> bool:
        """Tell whether another look at the count would say something new."""
        return self._latest is None or now_s - self._latest[0] >= _WINDOW_S

    def look(self, done: int, now_s: float) -> None:
        """Take a look at the count."""
        if self.is_due(now_s):
            self._before, self._latest = self._latest, (now_s, done)

    def retry_after_s(self, ahead: int) -> int:
        """Give the whole seconds, 1 to 60, in which what is ahead will have drained at the present rate.

        1 where the rate is not known yet.
        """
        if self._before is None or self._latest is None or self._latest[0] - self._before[0] > _MEMORY_S:
            return 1
        rate = (self._latest[1] - self._before[1]) / (self._latest[0] - self._before[0])
        return min(max(1, ceil(ahead / rate)), _LONGEST_S) if rate > 0 else _LONGEST_S
