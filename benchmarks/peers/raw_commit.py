"""The limit of one-way work with Headrace's guarantees: a raw loop that reads its stream and runs its commit script.

It knows nothing of nodes, retries, leases or deadlines. One call at a time, like `raw`.
"""

import os
from typing import Any

import uvloop
from benchmarks.count import count
from benchmarks.peers.client import BATCH, URL
from benchmarks.peers.headrace import one_way
from redis.asyncio import Redis

from headrace.bus.redis.call import Limits
from headrace.bus.redis.calls import Staged, commit_call
from headrace.bus.redis.keys import Keys
from headrace.bus.redis.scripts import source
from headrace.ledger.values import Commit, Settled
from headrace.wire.envelope import Framing

_BLOCK_MS = 500


async def serve() -> None:
    """Consume the stream of `one_way` for ever."""
    plan, keys, framing = one_way.compile(), Keys("headrace", 0), Framing(None)
    group, limits = plan.stream("sink"), Limits(retention_ms=3_600_000, lane_batch=256, kept_events=1000)
    reads, writes = Redis.from_url(URL), Redis.from_url(URL)
    script = await writes.script_load(source("commit"))
    stream = keys.stream(group)
    read_on: Any = {stream: ">"}
    await writes.xgroup_create(stream, "workers", id="0", mkstream=True)
    while True:
        read: Any = await reads.xreadgroup("workers", f"worker-{os.getpid()}", read_on, BATCH, _BLOCK_MS)
        for _, entries in read:
            staged: list[Staged] = []
            for entry_id, fields in entries:
                envelope = framing.open(fields[b"0"])
                count()
                commit = Commit(0, entry_id.decode(), (Settled(envelope.trace_id),))
                staged.append(Staged(commit, (None,)))
            call = commit_call(keys, group, staged, "workers", limits)
            await writes.evalsha(script, len(call.keys), *call.keys, *call.argv)


if __name__ == "__main__":
    uvloop.run(serve())
