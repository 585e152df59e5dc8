"""The bus of a deployment on one host: a Redis that runs, or one that lives and ends with the supervisor."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from msgspec import Struct

from headrace.bus.protocol import Bus
from headrace.runtime.reachable import probe
from headrace.settings.bus import BusSettings, open_bus


class HostBus(Struct, frozen=True):
    """A bus as the supervisor has it.

    Attributes:
        bus: For this process.
        child_settings: How its children reach it.
        is_ours: It ends with this process, and with it whatever is not done.
    """

    bus: Bus
    child_settings: Mapping[str, object]
    is_ours: bool


@asynccontextmanager
async def host_bus(settings: BusSettings) -> AsyncGenerator[HostBus]:
    """Open the bus until the context closes.

    Raises:
        BusUnavailableError: It is away.
        SettingsError: The address is no bus.
    """
    shared = {name: getattr(settings, name) for name in BusSettings.model_fields if name != "config"}
    bus = open_bus(settings)
    try:
        await probe(bus)
        yield HostBus(bus, shared, is_ours=False)
    finally:
        await bus.aclose()
