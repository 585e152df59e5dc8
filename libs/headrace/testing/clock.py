"""A clock that goes on only when it is told to: with it leases, back-offs and deadlines take no time in a test."""


class ManualClock:
    """A `kernel.clock.Clock` that a test moves.

    Args:
        now: The Unix time that it starts from, in seconds.
    """

    def __init__(self, now: float = 1_750_000_000.0) -> None:
        self._start_s = now
        self._passed_s = 0.0

    def now(self) -> float:
        """Unix time in seconds."""
        return self._start_s + self._passed_s

    def monotonic(self) -> float:
        """Seconds since this clock was made."""
        return self._passed_s

    def advance(self, seconds: float) -> None:
        """Let time pass.

        Raises:
            ValueError: It would go back.
        """
        if seconds < 0:
            raise ValueError(f"a clock does not go back; got {seconds:g} s")
        self._passed_s += seconds
