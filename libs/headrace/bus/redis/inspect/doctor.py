"""The doctor: asks every server of a bus what it is, and says which promises hold with it.

What a server refuses to tell the user that asks is unknown, and fails nothing.
"""

from headrace.bus.redis.inspect.checks import Check, beyond, checks_of, pauses, spread
from headrace.bus.redis.inspect.facts import facts_of, unless_refused
from headrace.bus.redis.inspect.groups import paused_groups
from headrace.bus.redis.inspect.places import Place, Places
from headrace.bus.redis.keys import Keys
from headrace.kernel.clock import Clock

_MS = 1000


async def examine(places: Places, partitions: int, clock: Clock) -> list[Check]:
    """Examine the servers.

    Args:
        partitions: As the bus's.

    Raises:
        BusUnavailableError: A server is away.
    """
    spell = [Keys(places.namespace, number) for number in range(partitions)]
    checks: list[Check] = []
    counts: dict[str, int] = {}
    paused_ms: dict[str, int] | None = None
    used = 0
    async with places.errors():
        servers = await places.all()
        for place in servers:
            here = [keys for keys in spell if await place.owns(keys.epoch)]
            counts[place.at] = len(here)
            checks += checks_of(await facts_of(place, here, clock), is_cluster_url=places.is_cluster)
            with unless_refused():
                if here and here[0] is spell[0]:
                    paused_ms = await _paused_ms(place, spell[0])
        with unless_refused():
            used = await _partitions_used(places.namespace, servers)
    checks.append(pauses(paused_ms))
    if places.is_cluster:
        checks.append(spread(partitions, counts))
    wrong = beyond(partitions, used)
    return checks if wrong is None else [*checks, wrong]


async def _paused_ms(place: Place, first: Keys) -> dict[str, int]:
    seconds, _ = await place.ask("TIME")
    paused = await paused_groups(place, first)
    return {name: int(seconds) * _MS - since_ms for name, since_ms in paused.items()}


async def _partitions_used(namespace: str, servers: list[Place]) -> int:
    numbers = [number for place in servers for number in (await place.inventory(namespace)).partitions]
    return max(numbers, default=-1) + 1
