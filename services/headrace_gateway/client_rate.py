"""How often one client may ask: a bucket of requests a client, filled at a rate. Pure."""

from collections import OrderedDict

_MOST_CLIENTS = 10_000  # some 2 MB


class ClientRate:
    """The rate of every client.

    Args:
        per_s: Requests a second that a client may go on with.
        burst: Requests that it may make at once.
    """

    def __init__(self, per_s: float, burst: int) -> None:
        self.per_s = per_s
        self.burst = burst
        self.refused = 0
        self._full_s: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        """Count the clients that are remembered."""
        return len(self._full_s)

    def take(self, client: str, now_s: float) -> float:
        """Take a request out of a client's bucket; gives the seconds until one is there, 0 where this was taken.

        Of more clients than can be remembered those that have asked least lately begin anew.
        """
        cost_s = 1 / self.per_s
        full_s = max(self._full_s.get(client, 0.0), now_s)  # when the bucket would be full again
        missing_s = full_s + cost_s - now_s - self.burst * cost_s
        if missing_s > 1e-9:  # noqa: PLR2004 - of a second, the rounding of such sums
            self.refused += 1
            return missing_s
        self._full_s[client] = full_s + cost_s
        self._full_s.move_to_end(client)
        if len(self._full_s) > _MOST_CLIENTS:
            self._full_s.popitem(last=False)
        return 0.0
