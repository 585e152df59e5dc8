"""The CPU time that something costs: of workers, of what is beside them, of Redis."""

from benchmarks.harness.fleet import Fleet
from benchmarks.harness.machine import Clock
from benchmarks.harness.redis_server import Server


class Costs:
    """CPU time since it was made.

    Attributes:
        clock: Made with it.
    """

    def __init__(self, fleet: Fleet, server: Server) -> None:
        self._fleet = fleet
        self._server = server
        self.clock = Clock()
        self._before = self._now()
        self._spent: tuple[float, ...] = (0.0, 0.0, 0.0)

    def of(self, calls: float) -> dict[str, float]:
        """Give the costs of one of so many calls."""
        self._spent = tuple(now - before for now, before in zip(self._now(), self._before, strict=True))
        names = ("worker_cpu_us", "redis_cpu_us", "aside_cpu_us")
        return {name: spent / calls * 1e6 for name, spent in zip(names, self._spent, strict=True)}

    def others(self, client_s: float = 0.0) -> float:
        """Give the share of the machine that went to others, until `of` was called."""
        return self.clock.others(sum(self._spent) + client_s)

    def _now(self) -> tuple[float, ...]:
        return self._fleet.cpu_s(), self._server.cpu_s(), self._fleet.cpu_s(aside=True)
