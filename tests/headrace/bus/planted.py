"""Leaks, planted by writing to Redis past the scripts; each gives the finding that names it."""

from collections.abc import Awaitable, Callable

from tests.headrace.bus.bench import FAILED, IN, JOIN, LANE, NEVER_MS, Bench, frame, trace

from headrace.bus.redis.inspect.findings import Kind
from headrace.ledger.values import (
    Arrive,
    Emit,
    Enqueue,
    Feed,
    Item,
    Park,
    Schedule,
)

Plant = Callable[[Bench], Awaitable[tuple[Kind, str, str, str]]]


async def entry_lost(bench: Bench) -> tuple[Kind, str, str, str]:
    run = await bench.start()
    await bench.redis.xtrim(bench.keys.stream(IN), maxlen=0)
    return Kind.CONSERVATION, bench.keys.run(run)[0], run, ""


async def entry_doubled(bench: Bench) -> tuple[Kind, str, str, str]:
    run = await bench.start()
    await bench.redis.xadd(bench.keys.stream(IN), {"0": frame(run)})
    return Kind.CONSERVATION, bench.keys.run(run)[0], run, ""


async def scheduled_lost(bench: Bench) -> tuple[Kind, str, str, str]:
    run = await bench.start()
    await bench.hop(run, Schedule(IN, 600_000, Item((frame(run),))))
    await bench.redis.delete(bench.keys.scheduled(IN))
    return Kind.CONSERVATION, bench.keys.run(run)[0], run, ""


async def arrival_lost(bench: Bench) -> tuple[Kind, str, str, str]:
    run = trace()
    await bench.start_as(run, Arrive(JOIN, "a", frame(run)), Emit(IN, frame(run), (Feed(JOIN, "b"),)))
    await bench.redis.hdel(bench.keys.run(run)[1], f"s{JOIN.name}:a")
    return Kind.CONSERVATION, bench.keys.run(run)[0], run, ""


async def parked_lost(bench: Bench) -> tuple[Kind, str, str, str]:
    run = trace()
    await bench.start_as(run, Park(IN, "approved", Item((frame(run),))))
    await bench.redis.hdel(bench.keys.run(run)[1], "papproved#1")
    return Kind.CONSERVATION, bench.keys.run(run)[0], run, ""


async def nothing_moves(bench: Bench) -> tuple[Kind, str, str, str]:
    run = trace()
    await bench.start_as(run, Arrive(JOIN, "a", frame(run)), Emit(IN, frame(run), (Feed(JOIN, "b"),)))
    await bench.redis.xtrim(bench.keys.stream(IN), maxlen=0)
    await bench.redis.hincrby(bench.keys.run(run)[0], "in_flight", -1)
    return Kind.STUCK, bench.keys.run(run)[0], run, ""


async def joins_without_run(bench: Bench) -> tuple[Kind, str, str, str]:
    run = trace()
    key = bench.keys.run(run)[1]
    await bench.redis.hset(key, f"s{JOIN.name}:a", frame(run))
    return Kind.JOINS_LEFT, key, run, ""


async def entry_of_unknown_run(bench: Bench) -> tuple[Kind, str, str, str]:
    run = trace()
    await bench.redis.xadd(bench.keys.stream(IN), {"0": frame(run)})
    return Kind.UNKNOWN_RUN_IN_STREAM, bench.keys.stream(IN), run, ""


async def scheduled_of_unknown_run(bench: Bench) -> tuple[Kind, str, str, str]:
    run = await bench.start()
    await bench.hop(run, Schedule(IN, 600_000, Item((frame(run),))))
    await bench.redis.delete(bench.keys.run(run)[0])
    return Kind.UNKNOWN_RUN_SCHEDULED, bench.keys.scheduled(IN), run, ""


async def scheduled_by_another_version(bench: Bench) -> tuple[Kind, str, str, str]:
    await bench.redis.zadd(bench.keys.scheduled(IN), {b"\xc1": NEVER_MS})
    return Kind.UNREADABLE_SCHEDULED, bench.keys.scheduled(IN), "", ""


async def ended_run_that_counts(bench: Bench) -> tuple[Kind, str, str, str]:
    run = await bench.start()
    await bench.bus.end(run, FAILED)
    await bench.redis.xtrim(bench.keys.stream(IN), maxlen=0)
    return Kind.ENDED_MISCOUNT, bench.keys.run(run)[0], run, ""


async def spill_left(bench: Bench) -> tuple[Kind, str, str, str]:
    run = await bench.start()
    key = bench.keys.spill(IN, run, "1")
    await bench.redis.rpush(key, "x")
    return Kind.SPILL_LEFT, key, run, ""


async def events_left(bench: Bench) -> tuple[Kind, str, str, str]:
    run = trace()
    key = bench.keys.events(run)
    await bench.redis.xadd(key, {"at": 1, "event": "x"})
    return Kind.EVENTS_LEFT, key, run, ""


async def abandoned_left(bench: Bench) -> tuple[Kind, str, str, str]:
    run = trace()
    await bench.redis.sadd(bench.keys.abandoned, run)
    return Kind.ABANDONED_LEFT, bench.keys.abandoned, run, ""


async def waiter_of_unknown_run(bench: Bench) -> tuple[Kind, str, str, str]:
    run = trace()
    await bench.redis.hset(bench.keys.waiters, run, "inbox")
    return Kind.WAITER_OF_UNKNOWN_RUN, bench.keys.waiters, run, ""


async def waiter_not_told(bench: Bench) -> tuple[Kind, str, str, str]:
    run = await bench.start(inbox="inbox")
    await bench.hop(run, terminal=FAILED)
    await bench.redis.delete(bench.keys.replies)
    return Kind.WAITER_NOT_TOLD, bench.keys.waiters, run, ""


async def ticket_of_ended_run(bench: Bench) -> tuple[Kind, str, str, str]:
    run = await bench.start(tickets=((LANE, IN),))
    await bench.redis.hset(bench.keys.run(run)[0], "state", "failed")
    return Kind.TICKET_OF_ENDED_RUN, bench.keys.lane(LANE, IN)[1], run, "1"


async def ticket_of_nobody(bench: Bench) -> tuple[Kind, str, str, str]:
    await bench.redis.zadd(bench.keys.lane(LANE, IN)[1], {"7": 7})
    return Kind.TICKET_OF_NOBODY, bench.keys.lane(LANE, IN)[1], "", "7"


async def parked_without_ticket(bench: Bench) -> tuple[Kind, str, str, str]:
    run = trace()
    await bench.start_as(
        run,
        Enqueue(IN, LANE, frame(run, "first"), by_ingress=False),
        Enqueue(IN, LANE, frame(run, "second"), by_ingress=False),
    )
    await bench.redis.zrem(bench.keys.lane(LANE, IN)[1], "2")
    return Kind.PARKED_WITHOUT_TICKET, bench.keys.lane(LANE, IN)[0], "", "2"


async def lane_stands_still(bench: Bench) -> tuple[Kind, str, str, str]:
    run = trace()
    await bench.start_as(
        run,
        Enqueue(IN, LANE, frame(run, "first"), by_ingress=False),
        Enqueue(IN, LANE, frame(run, "second"), by_ingress=False),
    )
    await bench.redis.xtrim(bench.keys.stream(IN), maxlen=0)
    await bench.redis.zrem(bench.keys.lane(LANE, IN)[1], "1")
    await bench.redis.hincrby(bench.keys.run(run)[0], "in_flight", -1)
    return Kind.LANE_STANDS_STILL, bench.keys.lane(LANE, IN)[0], "", "2"


PLANTS = [
    entry_lost,
    entry_doubled,
    scheduled_lost,
    arrival_lost,
    parked_lost,
    nothing_moves,
    joins_without_run,
    entry_of_unknown_run,
    scheduled_of_unknown_run,
    scheduled_by_another_version,
    ended_run_that_counts,
    spill_left,
    events_left,
    abandoned_left,
    waiter_of_unknown_run,
    waiter_not_told,
    ticket_of_ended_run,
    ticket_of_nobody,
    parked_without_ticket,
    lane_stands_still,
]
