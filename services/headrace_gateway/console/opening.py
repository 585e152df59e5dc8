"""Opens what the console sees, by the settings of a gateway."""

from contextlib import AsyncExitStack

from headrace.bus.protocol import Bus
from headrace.bus.redis.inspect.places import Places
from headrace.bus.tcp.address import SCHEME
from headrace.settings.bus import open_bus
from headrace.settings.services import GatewaySettings
from headrace_gateway.console.bus_sight import BusSight
from headrace_gateway.console.redis_sight import RedisSight
from headrace_gateway.console.sight import Sight


def console_sight(settings: GatewaySettings, bus: Bus, opened: AsyncExitStack) -> Sight:
    """Open it; nothing connects before somebody looks.

    Args:
        bus: The gateway's own, used where the console has no address of its own.
        opened: Closes what this opens.

    Raises:
        SettingsError: The console's address cannot be understood.
    """
    if settings.bus_url.startswith(f"{SCHEME}:"):
        return BusSight(bus, "tcp")
    url = settings.console_bus_url
    if url is not None:
        bus = open_bus(settings.model_copy(update={"bus_url": url}))
        opened.push_async_callback(bus.aclose)
    places = Places(url or settings.bus_url, settings.namespace)
    opened.push_async_callback(places.aclose)
    return RedisSight(places, bus, partitions=settings.partitions)
