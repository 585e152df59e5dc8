"""The chores of a consumer: what it does beside reading and committing, each every so often until it ends.

| chore | does | how often |
| --- | --- | --- |
| `renew` | renews the leases of what is under way | three times a lease |
| `promote` | puts scheduled items that are due back | `promote_every_s` |
| `expire` | ends runs whose deadline has passed | 4 times a second |
| `sweep` | removes consumers that are long gone | `sweep_every_s` |
| `look` | tells of hops that take very long | 4 times in `slow_after_s` |
"""

import asyncio
import random
from collections.abc import Awaitable, Callable

import structlog

from headrace.errors import BusError

_log = structlog.get_logger("headrace.consumer")

Chore = Callable[[], Awaitable[None]]


async def repeat(chore: Chore, every_s: float, ended: asyncio.Event, *, stream: str) -> None:
    """Do a chore every so often until `ended` is set; a bus that is away is asked again the next time."""
    # jitter keeps the workers of a group from asking all at once
    while not await _has_ended_within(every_s * random.uniform(0.8, 1.2), ended):  # noqa: S311 - no secret
        try:
            await chore()
        except BusError as error:
            _log.warning("chore_waits", stream=stream, chore=chore.__name__, code=error.code)


async def _has_ended_within(pause_s: float, ended: asyncio.Event) -> bool:
    try:
        async with asyncio.timeout(pause_s):
            return await ended.wait()
    except TimeoutError:
        return False
