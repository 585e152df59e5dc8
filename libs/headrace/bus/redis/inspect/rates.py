"""How fast groups work, from two looks at them; and how many replicas that asks for. Pure."""

import math

from msgspec import Struct

from headrace.bus.redis.inspect.groups import Group, Moment

_MS = 1000


class Rate(Struct, frozen=True):
    """Entries a second.

    Attributes:
        added: That came; None where the server does not count.
        done: That were committed.
    """

    added: float | None = None
    done: float | None = None


class Hint(Struct, frozen=True):
    """How many replicas a group should have.

    Attributes:
        replicas: It has.
        wanted: It should have; None where that cannot be told.
        why: What that follows from.
    """

    group: str
    replicas: int
    wanted: int | None
    why: str
    backlog: int
    rate: Rate


def rates(before: Moment, after: Moment) -> dict[str, Rate]:
    """Give each group's rates between two looks."""
    seconds = (after.now_ms - before.now_ms) / _MS
    known = {group.name: group for group in before.groups}
    return {
        group.name: _rate(known[group.name], group, seconds) if group.name in known and seconds > 0 else Rate()
        for group in after.groups
    }


def _rate(before: Group, after: Group, seconds: float) -> Rate:
    if before.added is None or after.added is None or after.added < before.added:
        return Rate()
    added = after.added - before.added
    return Rate(added / seconds, max(added - (after.backlog - before.backlog), 0) / seconds)


def hint(before: Group, after: Group, rate: Rate, *, clear_s: float) -> Hint:
    """Say how many replicas a group should have, so that it keeps up and what waits is done within `clear_s`."""
    replicas = len(after.live)
    wanted, why = _wanted(before, after, rate, replicas, clear_s)
    return Hint(after.name, replicas, wanted, why, after.backlog, rate)


def _wanted(before: Group, after: Group, rate: Rate, replicas: int, clear_s: float) -> tuple[int | None, str]:
    if after.paused_ms >= 0:
        return None, "it is paused"
    if not replicas:
        return (1, "entries wait and no worker is there") if after.backlog else (0, "nothing waits")
    if not (before.waiting and after.waiting):
        return replicas, "it keeps up; whether fewer would, only fewer can tell"
    if rate.added is None or rate.done is None:
        return None, "this server does not count what is added: Redis 7 does"
    if not rate.done:
        return None, "entries wait and none was done: look at headrace ps and headrace trace"
    each = rate.done / replicas
    wanted = max(math.ceil((rate.added + after.waiting / clear_s) / each), 1)
    return wanted, f"each replica does {each:,.1f} a second"
