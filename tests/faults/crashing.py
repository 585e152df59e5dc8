"""A bus that kills its process at a point, and the settings that name the point; for the programs of this folder."""

import os
import signal
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from pydantic import Field

from headrace.bus.protocol import DEFAULT_KEPT_EVENTS
from headrace.bus.redis.bus import RedisBus
from headrace.bus.redis.call import Call
from headrace.bus.redis.channels import RedisChannels
from headrace.bus.redis.events import RedisEvents
from headrace.bus.redis.ingress import RedisIngress
from headrace.bus.redis.replies import RedisReplies
from headrace.bus.redis.roster import RedisRoster
from headrace.bus.redis.server import Server
from headrace.bus.redis.work import RedisWork
from headrace.ledger.values import Answer, Commit, Delivery, TerminalEvent
from headrace.settings.bus import BusSettings


class Point(StrEnum):
    """Where a process is killed: the first time that there is something to lose."""

    NOWHERE = "nowhere"
    AFTER_READ = "after_read"
    AFTER_CLAIM = "after_claim"
    AFTER_PROMOTE = "after_promote"
    BEFORE_COMMIT = "before_commit"
    AFTER_COMMIT = "after_commit"
    BEFORE_DELIVER = "before_deliver"
    AFTER_DELIVER = "after_deliver"
    BEFORE_PART = "before_part"
    AFTER_PART = "after_part"


class CrashSettings(BusSettings):
    """Where to crash, and under what name to read."""

    crash_at: Point = Field(Point.NOWHERE, description="The point.")
    consumer: str = Field("", description="The worker's name on the bus; empty for one of its own.")


class CrashingServer(Server):
    """The bus's server, and the end of its process between two parts of a spill."""

    point = Point.NOWHERE

    async def run(self, verb: str, call: Call) -> Any:
        if verb == "unspill":
            crash_at(Point.BEFORE_PART, self.point)
        answer = await super().run(verb, call)
        if verb == "unspill" and answer > 0:  # there is a next one
            crash_at(Point.AFTER_PART, self.point)
        return answer


class CrashingBus(RedisBus):
    """The bus, and the end of its process at the point.

    Args:
        settings: Where the bus is, and the point.
    """

    def __init__(self, settings: CrashSettings) -> None:
        server = CrashingServer(
            settings.bus_url,
            namespace=settings.namespace,
            partitions=1,
            retention_s=3600.0,
            lane_batch=256,
            kept_events=DEFAULT_KEPT_EVENTS,
        )
        server.point = settings.crash_at
        RedisWork.__init__(self, server)
        RedisIngress.__init__(self, server)
        RedisReplies.__init__(self, server)
        RedisEvents.__init__(self, server)
        RedisRoster.__init__(self, server)
        RedisChannels.__init__(self, server)
        self._point = settings.crash_at
        self._consumer = settings.consumer

    async def read(self, group: str, consumer: str, *, limit: int, wait_s: float) -> list[Delivery]:
        found = await super().read(group, self._consumer or consumer, limit=limit, wait_s=wait_s)
        self._crash(Point.AFTER_READ, found)
        return found

    async def claim(self, group: str, consumer: str, *, limit: int, idle_s: float) -> list[Delivery]:
        found = await super().claim(group, self._consumer or consumer, limit=limit, idle_s=idle_s)
        self._crash(Point.AFTER_CLAIM, found)
        return found

    async def extend(self, group: str, consumer: str, deliveries: Sequence[Delivery]) -> list[bool]:
        return await super().extend(group, self._consumer or consumer, deliveries)

    async def promote(self, group: str, *, limit: int) -> int:
        promoted = await super().promote(group, limit=limit)
        self._crash(Point.AFTER_PROMOTE, promoted)
        return promoted

    async def commit(self, group: str, commits: Sequence[Commit]) -> list[list[Answer]]:
        self._crash(Point.BEFORE_COMMIT, commits)
        answers = await super().commit(group, commits)
        self._crash(Point.AFTER_COMMIT, answers)
        return answers

    async def deliver(self, matches: Sequence[tuple[TerminalEvent, tuple[str, ...]]]) -> int:
        self._crash(Point.BEFORE_DELIVER, matches)
        delivered = await super().deliver(matches)
        self._crash(Point.AFTER_DELIVER, delivered)
        return delivered

    def _crash(self, point: Point, at_stake: object) -> None:
        if at_stake:
            crash_at(point, self._point)


def crash_at(here: Point, point: Point) -> None:
    """End this process where here is the point."""
    if here is point:
        os.kill(os.getpid(), signal.SIGKILL)
