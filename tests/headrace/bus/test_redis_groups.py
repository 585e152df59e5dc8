"""How groups stand, over several partitions of a real server: found among all keys, or known by their names."""

import pytest

from headrace.bus.protocol import Presence
from headrace.bus.redis.bus import RedisBus
from headrace.bus.redis.inspect.groups import Group, Groups
from headrace.bus.redis.inspect.letters import Wanted
from headrace.bus.redis.inspect.places import Places
from headrace.ledger.values import Emit, Submission
from headrace.testing.bus_contract import commit

PARTITIONS = 3
IN, OTHER = "pipe.in", "pipe.other"


@pytest.mark.slow
@pytest.mark.parametrize("are_known", [True, False])
async def test_what_partitions_have_of_a_group_is_told_as_one(
    redis_url: str, namespace: str, *, are_known: bool
) -> None:
    bus, places = RedisBus(redis_url, namespace=namespace, partitions=PARTITIONS), Places(redis_url, namespace)
    runs = [f"{number % PARTITIONS:04x}{number + 1:028x}" for number in range(6)]
    await bus.submit([Submission(run, "pipe", "v1", (Emit(IN, run.encode()),)) for run in runs])
    for delivery in await bus.read(IN, "in-1", limit=2, wait_s=1):
        await bus.commit(IN, [commit(delivery, delivery.entry.items[0].frames[0].decode())])
    held = await bus.read(IN, "in-1", limit=1, wait_s=1)
    await bus.attend(Presence("in-1", IN, host="here", pid=7))
    await bus.pause(IN)

    groups = Groups(places, Wanted(), heads=2)
    await (groups.take([IN, OTHER], PARTITIONS) if are_known else groups.find())
    seen = {group.name: group for group in (await groups.look()).groups}
    assert set(seen) == ({IN, OTHER} if are_known else {IN})
    assert seen.get(OTHER, Group(OTHER)) == Group(OTHER)
    group = seen[IN]
    assert (group.backlog, group.held, group.waiting, group.added, group.done) == (4, 1, 3, 6, 2)
    assert 0 <= group.paused_ms < 60_000
    assert {frame.decode() for frame in group.frames} <= set(runs)
    assert len(group.frames) == 4
    [worker] = group.live
    assert worker.presence is not None
    assert (worker.name, worker.held, worker.presence.host, worker.presence.pid) == ("in-1", len(held), "here", 7)
    await places.aclose()
    await bus.aclose()
