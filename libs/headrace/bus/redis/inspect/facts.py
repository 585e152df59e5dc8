"""What a server says of itself, as far as it is allowed to: a managed one may refuse CONFIG."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from msgspec import Struct
from redis.exceptions import ResponseError

from headrace.bus.redis.inspect.places import Place
from headrace.bus.redis.keys import Keys
from headrace.bus.redis.routes import is_away
from headrace.bus.redis.scripts import source
from headrace.kernel.clock import Clock

_PINGS = 100
_MS = 1000
_SETTINGS = ("maxmemory-policy", "appendfsync", "min-replicas-to-write", "save")


class Facts(Struct, frozen=True):
    """What is known of one server.

    Attributes:
        at: Its address.
        info: As INFO gives it.
        config: Settings; one that is not told is not in it.
        script_error: What a script that we run was refused with, empty where it works.
        ping_ms: The median of a hundred round trips, in milliseconds.
        ahead_ms: By how much this host's clock is ahead of the server's, in milliseconds.
        ahead_ms_at_most_off: By how much that may be wrong.
    """

    at: str
    info: Mapping[str, Any]
    config: Mapping[str, str]
    script_error: str
    ping_ms: float
    ahead_ms: float
    ahead_ms_at_most_off: float


async def facts_of(place: Place, keys: Sequence[Keys], clock: Clock) -> Facts:
    """Ask a server for its facts.

    Args:
        keys: Of a partition that is on it, to try a script with; may be empty.
    """
    ahead_ms, off_ms = await _ahead(place, clock)
    return Facts(
        at=place.at,
        info=await place.ask("INFO"),
        config=await _config(place),
        script_error=await _script_error(place, keys),
        ping_ms=await _ping(place, clock),
        ahead_ms=ahead_ms,
        ahead_ms_at_most_off=off_ms,
    )


async def _config(place: Place) -> dict[str, str]:
    found: dict[str, str] = {}
    for setting in _SETTINGS:
        try:
            answer = await place.ask("CONFIG", "GET", setting)
        except ResponseError as error:
            if is_away(error):
                raise
            return found
        if answer:
            found[setting] = answer[1].decode()
    return found


async def _script_error(place: Place, keys: Sequence[Keys]) -> str:
    try:
        for each in keys[:1]:
            await place.ask("EVAL", source("due"), 1, each.scheduled("doctor.doctor"), 0)  # of a group that nobody has
    except ResponseError as error:
        if is_away(error):
            raise
        return str(error)
    return ""


async def _ping(place: Place, clock: Clock) -> float:
    taken: list[float] = []
    for _ in range(_PINGS):
        start_s = clock.monotonic()
        await place.ask("PING")
        taken.append(clock.monotonic() - start_s)
    return median(taken) * _MS


async def _ahead(place: Place, clock: Clock) -> tuple[float, float]:
    """Compare clocks; gives how far we are ahead, and half the round trip, which is how far off that may be."""
    await place.ask("PING")  # so that the connection is there
    before_s = clock.now()
    seconds, microseconds = await place.ask("TIME")
    after_s = clock.now()
    server_s = int(seconds) + int(microseconds) / 1e6
    return ((before_s + after_s) / 2 - server_s) * _MS, (after_s - before_s) / 2 * _MS
