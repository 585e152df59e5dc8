"""Feeds a pipe as fast as a window of runs under way allows, and keeps what came back."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from itertools import islice

from headrace.ledger.values import Terminal
from headrace.runtime.client import Client

BATCH = 64
WINDOW = 512  # the larger, the longer each waits for the others
PATIENCE_S = 60.0

Steer = Callable[[Client, int, str], Awaitable[None]]
"""Does something to a run, by its position and trace_id, while it is under way."""


class Fed:
    """What was fed to a pipe, in order.

    Attributes:
        messages: What runs were started from.
        traces: Their trace_ids.
        terminals: How they ended, by position.
        largest_wait_s: Of all waits for an answer.
    """

    def __init__(self) -> None:
        self.messages: list[object] = []
        self.traces: list[str] = []
        self.terminals: dict[int, Terminal] = {}
        self.largest_wait_s = 0.0


async def leave_alone(client: Client, position: int, trace_id: str) -> None:
    """Do nothing to a run."""


async def feed(client: Client, messages: Iterator[object], until_s: float, *, steer: Steer = leave_alone) -> Fed:
    """Start runs until the messages or the time are over, by the loop's clock; then wait for all answers."""
    clock = asyncio.get_running_loop().time
    fed, room = Fed(), asyncio.Semaphore(WINDOW // BATCH)

    async def take(asked: list[tuple[str, asyncio.Future[Terminal]]], at: int, since_s: float) -> None:
        await asyncio.gather(*(steer(client, at + position, trace) for position, (trace, _) in enumerate(asked)))
        for position, (_, future) in enumerate(asked):
            fed.terminals[at + position] = await future
            fed.largest_wait_s = max(fed.largest_wait_s, clock() - since_s)
        room.release()

    async with asyncio.TaskGroup() as tasks:
        while clock() < until_s and (batch := list(islice(messages, BATCH))):
            await room.acquire()
            since_s = clock()
            asked = await client.ask_all(batch, patience_s=PATIENCE_S)
            fed.messages += batch
            fed.traces += [trace for trace, _ in asked]
            tasks.create_task(take(asked, len(fed.traces) - len(asked), since_s))
    return fed
