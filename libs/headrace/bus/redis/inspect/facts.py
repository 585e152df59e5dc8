"""What a server says of itself, as far as it tells the user that asks.

A managed server may refuse CONFIG. The user of a service may ask next to nothing, so it has what every connection may
ask: HELLO, which gives version, role and mode, under the names that INFO has for them.
"""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Any

from msgspec import Struct
from redis.exceptions import ResponseError

from headrace.bus.redis.inspect.places import Place
from headrace.bus.redis.keys import Keys
from headrace.bus.redis.routes import is_away
from headrace.kernel.clock import Clock

_PINGS = 100
_MS = 1000
_SETTINGS = ("maxmemory-policy", "appendfsync", "min-replicas-to-write", "save")
_SCRIPT = "return redis.call('GET', KEYS[1])"  # every service may read the epoch of a partition


class Facts(Struct, frozen=True):
    """What is known of one server.

    Attributes:
        at: Its address.
        info: As INFO gives it; what is not told is not in it.
        config: Settings; one that is not told is not in it.
        script_error: What a script was refused with, empty where it works.
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


@contextmanager
def unless_refused() -> Generator[None]:
    """Go on after questions that the server refuses; what keeps it from answering any is raised as ever."""
    try:
        yield
    except ResponseError as error:
        if is_away(error):
            raise


async def facts_of(place: Place, keys: Sequence[Keys], clock: Clock) -> Facts:
    """Ask a server for its facts.

    Args:
        keys: Of a partition that is on it, to try a script with; may be empty.
    """
    ahead_ms, off_ms = await _ahead(place, clock)
    return Facts(
        at=place.at,
        info=await _info(place),
        config=await _config(place),
        script_error=await _script_error(place, keys),
        ping_ms=await _ping(place, clock),
        ahead_ms=ahead_ms,
        ahead_ms_at_most_off=off_ms,
    )


async def _info(place: Place) -> Mapping[str, Any]:
    with unless_refused():
        info: Mapping[str, Any] = await place.ask("INFO")
        return info
    flat = await place.ask("HELLO")
    hello = dict(zip(flat[::2], flat[1::2], strict=True))
    version = "valkey_version" if hello[b"server"] == b"valkey" else "redis_version"
    return {
        version: hello[b"version"].decode(),
        "role": hello[b"role"].decode(),
        "cluster_enabled": int(hello[b"mode"] == b"cluster"),
    }


async def _config(place: Place) -> dict[str, str]:
    found: dict[str, str] = {}
    with unless_refused():
        for setting in _SETTINGS:
            if answer := await place.ask("CONFIG", "GET", setting):
                found[setting] = answer[1].decode()
    return found


async def _script_error(place: Place, keys: Sequence[Keys]) -> str:
    try:
        for each in keys[:1]:
            await place.ask("EVAL", _SCRIPT, 1, each.epoch)
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
