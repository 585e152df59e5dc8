"""Rates of what is only ever counted: how fast counts have grown over the last seconds. Pure."""

from collections import deque

_WINDOW_S = 10.0


class Rates:
    """Remembers what counts were, for as long as that says something of now."""

    def __init__(self) -> None:
        self._seen: dict[str, deque[tuple[float, int]]] = {}

    def rate(self, name: str, count: int, now_s: float) -> float | None:
        """Take a count in; gives by how much it grows a second, None where that is not known yet."""
        seen = self._seen.setdefault(name, deque())
        if seen and count < seen[-1][1]:
            seen.clear()  # it began anew, as a server does that lost everything
        seen.append((now_s, count))
        while seen[0][0] < now_s - _WINDOW_S:
            seen.popleft()
        first_s, first = seen[0]
        return (count - first) / (now_s - first_s) if now_s > first_s else None
