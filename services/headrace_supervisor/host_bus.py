"""The bus of a deployment on one host: a Redis that runs, or a broker that lives and ends with the supervisor.

The broker serves the memory bus, so it needs nothing else to run. It takes whoever has the session's key, which is made
anew at every start and reaches the children in their bundles; an operator's own `bus_keys` are taken beside it.
"""

import base64
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from msgspec import Struct
from pydantic import SecretStr

from headrace.bus.memory.bus import MemoryBus
from headrace.bus.protocol import Bus
from headrace.bus.tcp.address import SCHEME, parse
from headrace.bus.tcp.broker import Broker, serving
from headrace.errors import SettingsError
from headrace.kernel.clock import random_bytes
from headrace.runtime.reachable import probe
from headrace.settings.bus import BusSettings, bus_keyring, open_bus

_SECRET_BYTES = 32
_ID_BYTES = 4


class HostBus(Struct, frozen=True):
    """A bus as the supervisor has it.

    Attributes:
        bus: For this process.
        child_settings: How its children reach it.
        is_ours: It ends with this process, and with it whatever is not done.
        broker: Where this process is one.
    """

    bus: Bus
    child_settings: Mapping[str, object]
    is_ours: bool
    broker: Broker | None = None


def is_own_broker(settings: BusSettings) -> bool:
    """Tell whether the supervisor is to be the broker."""
    return settings.bus_url.startswith(f"{SCHEME}:")


@asynccontextmanager
async def host_bus(settings: BusSettings) -> AsyncGenerator[HostBus]:
    """Open the bus until the context closes.

    Raises:
        BusUnavailableError: It is away.
        SettingsError: The address is no bus, or is taken.
    """
    opened = _own_broker(settings) if is_own_broker(settings) else _shared_bus(settings)
    async with opened as host:
        yield host


@asynccontextmanager
async def _shared_bus(settings: BusSettings) -> AsyncGenerator[HostBus]:
    bus = open_bus(settings)
    try:
        await probe(bus)
        yield HostBus(bus, _told(settings), is_ours=False)
    finally:
        await bus.aclose()


@asynccontextmanager
async def _own_broker(settings: BusSettings) -> AsyncGenerator[HostBus]:
    if settings.partitions > 1:
        raise SettingsError("partitions", "is over 1, and a tcp:// bus has one partition")
    keyed = settings.model_copy(update={"bus_keys": _with_session_key(settings.bus_keys)})
    keyring, address = bus_keyring(keyed), parse(settings.bus_url)
    bus = MemoryBus(retention_s=settings.retention_s)
    async with AsyncExitStack() as stack:
        try:
            broker = await stack.enter_async_context(serving(bus, keyring, address=address, left=bus.leave))
        except OSError as error:
            why = os.strerror(error.errno) if error.errno else "unknown"
            raise SettingsError("bus_url", f"is {address}, where no broker can listen: {why}") from error
        reached = keyed.model_copy(update={"bus_url": str(broker.address)})
        yield HostBus(bus, _told(reached), is_ours=True, broker=broker)


def _with_session_key(given: SecretStr | None) -> SecretStr:
    """Put a new key first, with which children sign, before those that an operator gave."""
    own = f"session-{random_bytes(_ID_BYTES).hex()}:{base64.b64encode(random_bytes(_SECRET_BYTES)).decode()}"
    return SecretStr(f"{own},{given.get_secret_value()}" if given else own)


def _told(settings: BusSettings) -> dict[str, object]:
    return {name: getattr(settings, name) for name in BusSettings.model_fields if name != "config"}
