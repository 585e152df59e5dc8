"""A tcp bus for one test, with a broker of its own in the same event loop."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from headrace.bus.memory.bus import MemoryBus
from headrace.bus.protocol import Bus
from headrace.bus.tcp.broker import serving
from headrace.bus.tcp.bus import TcpBus
from headrace.kernel.clock import random_bytes
from headrace.wire.signing import Keyring

_SECRET_BYTES = 32


@asynccontextmanager
async def tcp_profile(bus: Bus | None = None) -> AsyncGenerator[TcpBus]:
    """Open a bus; nothing of it is left when the context closes.

    Args:
        bus: What the broker serves; a memory bus where it is left out.
    """
    keyring = Keyring({"test": random_bytes(_SECRET_BYTES)}, "test")
    async with serving(bus or MemoryBus(), keyring) as broker:
        client = TcpBus(str(broker.address), keyring)
        try:
            yield client
        finally:
            await client.aclose()
