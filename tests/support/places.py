"""A small pipe over several processes: every node tells which process it ran in. Used through worker processes."""

import os

import anyio
from msgspec import Struct

from headrace import Context, Pipe
from headrace.testing.wait import wait_until


class Ask(Struct):
    """What a run starts from. `gate`: a file that must be there before `slow` goes on; empty for no gate."""

    text: str
    gate: str = ""


class Seen(Struct):
    """What the first group saw."""

    text: str
    trace_id: str
    pid: int
    gate: str


class Local(Struct):
    """What a second node of the first group saw."""

    seen: Seen
    pid: int


class Told(Struct):
    """The answer: where each node ran."""

    text: str
    trace_ids: tuple[str, str]
    first_pids: tuple[int, int]
    second_pid: int


pipe = Pipe("places")


@pipe.node(group="first")
async def see(ask: Ask, ctx: Context) -> Seen:
    return Seen(ask.text, ctx.trace_id, os.getpid(), ask.gate)


@pipe.node(group="first")
async def stay(seen: Seen) -> Local:
    return Local(seen, os.getpid())


@pipe.node(group="second")
async def tell(local: Local, ctx: Context) -> Told:
    seen = local.seen
    if seen.gate:
        await anyio.Path(f"{seen.gate}.{os.getpid()}").touch()
        await wait_until(anyio.Path(seen.gate).exists, timeout_s=60, description="the gate is open")
    return Told(seen.text, (seen.trace_id, ctx.trace_id), (seen.pid, local.pid), os.getpid())
