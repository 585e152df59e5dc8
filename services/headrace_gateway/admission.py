"""Admission: what is taken in, and when to come again with what is not. Each limit is named where it refuses.

| limit | of | refused with |
| --- | --- | --- |
| `max_waiters` | requests under way in one endpoint of this process | 429 |
| `client_rate` | requests a second of one client to this process | 429 |
| `max_runs` | open runs of a pipe, over all replicas | 503 |
"""

import asyncio
from collections import Counter, defaultdict
from contextlib import suppress
from math import ceil

from headrace.bus.protocol import Ingress
from headrace.errors import BusError, TooManyRunsError
from headrace_gateway.client_rate import ClientRate
from headrace_gateway.drain import Drain
from headrace_gateway.problem import ProblemError
from headrace_gateway.refusals import over_limit, too_many_runs
from headrace_gateway.slots import Slots

RATE = "client_rate"
RUNS = "max_runs"


class Admission:
    """What this process takes in.

    Args:
        bus: Is asked how fast runs end.
        max_waiters: Of each endpoint.
        client_rate: None for any rate.
    """

    def __init__(self, bus: Ingress, *, max_waiters: int, client_rate: ClientRate | None = None) -> None:
        self._bus = bus
        self._client_rate = client_rate
        self._drains: defaultdict[str, Drain] = defaultdict(Drain)
        self._refused_runs: Counter[str] = Counter()
        self._max_waiters = max_waiters
        self.slots: dict[str, Slots] = {}

    def endpoint(self, name: str) -> Slots:
        """Make the slots of an endpoint."""
        slots = self.slots[name] = Slots(self._max_waiters)
        return slots

    def take(self, client: str) -> None:
        """Take a request of a client.

        Raises:
            ProblemError: It asks too often.
        """
        rate = self._client_rate
        if rate is None:
            return
        wait_s = rate.take(client, asyncio.get_running_loop().time())
        if wait_s > 0:
            detail = f"a client may ask {rate.per_s:g} times a second, {rate.burst} times at once"
            raise over_limit(RATE, rate.per_s, detail, retry_after_s=ceil(wait_s))

    async def no_more_runs(self, error: TooManyRunsError) -> ProblemError:
        """Make the answer to a run that is one too many, by the rate at which runs of its pipe end."""
        self._refused_runs[error.pipe] += 1
        drain, now_s = self._drains[error.pipe], asyncio.get_running_loop().time()
        if drain.is_due(now_s):
            with suppress(BusError):  # then when to come again is a guess
                drain.look((await self._bus.load(error.pipe)).ended, now_s)
        return too_many_runs(RUNS, error.limit, str(error), retry_after_s=drain.retry_after_s(error.limit))

    @property
    def refused(self) -> Counter[str]:
        """How many requests each limit has refused."""
        return Counter(
            {
                "max_waiters": sum(slots.refused for slots in self.slots.values()),
                RATE: self._client_rate.refused if self._client_rate is not None else 0,
                RUNS: self._refused_runs.total(),
            }
        )
