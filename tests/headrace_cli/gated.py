"""A pipe whose node waits until a file is there, so that a test says when it ends."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from msgspec import Struct

from headrace.bus.redis.bus import RedisBus
from headrace.graph.pipe import Pipe
from headrace.runtime.compose import connected, consuming, coordinating
from headrace.runtime.submissions import PLAIN, Options
from headrace.wire.envelope import Framing

APP = "tests.headrace_cli.gated:pipe"
GROUP = "gated.shop"
_LOOK_EVERY_S = 0.01


class Job(Struct):
    gate: str


class Done(Struct):
    gate: str


pipe = Pipe("gated")


def begun(gate: Path) -> Path:
    """What is there once a job has begun."""
    return gate.with_suffix(".begun")


@pipe.node(group="shop")
async def work(job: Job) -> Done:
    gate = Path(job.gate)
    if not gate.parent.exists():
        raise FileNotFoundError
    begun(gate).touch()
    while not gate.exists():  # noqa: ASYNC110, ASYNC240 - all that another process can do to it is to make a file
        await asyncio.sleep(_LOOK_EVERY_S)
    return Done(job.gate)


def submit(url: str, namespace: str, gate: Path, *, is_done_here: bool = False, options: Options = PLAIN) -> str:
    """Start a job; gives its trace_id.

    Args:
        is_done_here: Whether this process works, and the run ends before this returns.
    """

    async def submitting() -> str:
        plan, bus = pipe.compile(), RedisBus(url, namespace=namespace)
        async with AsyncExitStack() as parts:
            parts.push_async_callback(bus.aclose)
            if is_done_here:
                await parts.enter_async_context(consuming(plan, bus, Framing(), ("shop",)))
                await parts.enter_async_context(coordinating(bus))
            client = await parts.enter_async_context(connected(plan, bus, Framing()))
            trace_id = await client.submit(Job(str(gate)), options)
            if is_done_here:
                await client.wait(trace_id, 10)
            return trace_id

    return asyncio.run(submitting())
