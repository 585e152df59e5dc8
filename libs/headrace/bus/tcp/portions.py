"""How much a worker is handed at a time: no more entries than it asks for, nor bytes than one answer should have."""

from typing import Any

from headrace.bus.protocol import Bus
from headrace.bus.tcp.methods import Method
from headrace.ledger.values import Delivery

_STEP = 32  # entries taken before their size is looked at: what is taken cannot be given back
_ENOUGH_BYTES = 4 * 1024 * 1024


async def portion(method: Method, bus: Bus, arguments: tuple[Any, ...]) -> list[Delivery]:
    """Read, or claim, within bounds; fewer than asked for is never wrong."""
    group, consumer, limit, seconds = arguments
    taken: list[Delivery] = await method.call(bus, (group, consumer, min(limit, _STEP), seconds))
    if method.name != "read":
        return taken
    size, step = 0, taken
    while len(step) == _STEP and len(taken) < limit:
        size += sum(len(frame) for one in step for item in one.entry.items for frame in item.frames)
        if size >= _ENOUGH_BYTES:
            break
        step = await bus.read(group, consumer, limit=min(limit - len(taken), _STEP), wait_s=0)
        taken += step
    return taken
