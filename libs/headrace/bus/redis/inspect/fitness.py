"""What of a doctor's report keeps a service from starting."""

from headrace.bus.redis.inspect.checks import Check
from headrace.bus.redis.inspect.doctor import examine
from headrace.bus.redis.inspect.findings import Verdict
from headrace.bus.redis.inspect.places import Places
from headrace.kernel.clock import Clock

_OF_THE_MOMENT = frozenset({"latency", "memory"})  # a service may start all the same, and they may pass


async def failing(places: Places, partitions: int, clock: Clock) -> list[Check]:
    """Give the checks that fail and that a start depends on; what the server does not tell fails nothing.

    Args:
        partitions: As the bus's.

    Raises:
        BusUnavailableError: A server is away.
    """
    checks = await examine(places, partitions, clock)
    return [check for check in checks if check.verdict is Verdict.FAIL and check.name not in _OF_THE_MOMENT]
