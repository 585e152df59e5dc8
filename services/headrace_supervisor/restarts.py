"""When a child that died is started again, and when that is given up: a crash loop. Pure."""

from msgspec import Struct

from headrace_supervisor.ending import Ending


class RestartPolicy(Struct, frozen=True):
    """How deaths are dealt with.

    Attributes:
        first_s: Seconds before the first start again; twice as many before each further one.
        longest_s: The most seconds.
        early_s: A child that dies before it was ready for so long has died early; one that does not ends a series.
        crash_limit: Early deaths in a row, after which it is given up.
    """

    first_s: float = 0.2
    longest_s: float = 10.0
    early_s: float = 2.0
    crash_limit: int = 5


class Restarts:
    """The deaths of one place, as far as they matter.

    Attributes:
        early: Early deaths in a row.
    """

    def __init__(self, policy: RestartPolicy) -> None:
        self._policy = policy
        self.early = 0

    def after(self, ending: Ending) -> float | None:
        """Take a death down; gives the seconds before the next start, or None where there is none."""
        policy = self._policy
        is_early = not ending.was_ready or ending.lived_s < policy.early_s
        self.early = self.early + 1 if is_early else 0
        if ending.is_mistake or self.early >= policy.crash_limit:
            return None
        return min(policy.first_s * 2.0 ** max(0, self.early - 1), policy.longest_s)
