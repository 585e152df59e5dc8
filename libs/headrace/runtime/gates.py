"""Waits for gates, before what was read is begun."""

import asyncio
from collections.abc import Sequence

from headrace.kernel.gate import Gate


async def all_open(gates: Sequence[Gate], stopping: asyncio.Event, *, wait_s: float) -> bool:
    """Tell whether all gates are open, or soon are, unless `stopping` is set; costs next to nothing while they are."""
    closed = [gate for gate in gates if not gate.is_open()]
    if not closed:
        return True
    waits = [asyncio.ensure_future(closed[0].opened()), asyncio.ensure_future(stopping.wait())]
    try:
        await asyncio.wait(waits, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    return all(gate.is_open() for gate in gates)
