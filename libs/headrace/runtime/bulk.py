"""Bulk runs: many messages through a pipe as a stream, answers in input order, with a bounded number under way."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterable
from itertools import islice

from headrace.ledger.values import Terminal
from headrace.runtime.client import Client

DEFAULT_WINDOW = 4096  # runs under way: enough to keep several groups' workers busy, a few MB of envelopes
_PATIENCE_S = 60.0  # a restart or a failover of the bus does not end a long run
DEFAULT_BATCH = 256  # runs started in one round trip


async def run_all(
    client: Client, messages: Iterable[object], *, window: int = DEFAULT_WINDOW, batch: int = DEFAULT_BATCH
) -> AsyncGenerator[tuple[str, Terminal], None]:
    """Run every message and give the terminals in input order.

    Args:
        messages: Read only as fast as they are answered. A terminal among them stands for one that could not be read,
            and is its answer.
        window: The most runs under way at a time.
        batch: The most runs started in one round trip.

    Yields:
        trace_id and terminal of each message; the trace_id is empty where no run was started.

    Raises:
        BusUnavailableError: The bus has been away for a minute.
    """
    source = iter(messages)
    under_way: deque[tuple[str, asyncio.Future[Terminal]]] = deque()
    is_exhausted = False
    try:
        while under_way or not is_exhausted:
            while not is_exhausted and len(under_way) + batch <= max(window, batch):
                chunk = list(islice(source, batch))
                is_exhausted = len(chunk) < batch
                if chunk:
                    under_way.extend(await client.ask_all(chunk, patience_s=_PATIENCE_S))
            # refill while there is room rather than after each answer, so that starting stays batched
            for _ in range(min(batch, len(under_way))):
                trace_id, future = under_way.popleft()
                yield trace_id, await future
    finally:
        client.leave(under_way)
