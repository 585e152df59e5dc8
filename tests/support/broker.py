"""A broker in a process of its own, with a reply coordinator: what a supervisor has, without its children.

Its port and keys are `HEADRACE_PORT` and `HEADRACE_BUS_KEYS`.
"""

import asyncio
import os
import sys

from headrace.bus.memory.bus import MemoryBus
from headrace.bus.tcp.address import Address
from headrace.bus.tcp.broker import serving
from headrace.runtime.compose import coordinating
from headrace.settings.bus import BusSettings, bus_keyring
from headrace.settings.sources import read_settings


async def main() -> None:
    bus = MemoryBus()
    address = Address("127.0.0.1", int(os.environ["HEADRACE_PORT"]))
    async with serving(bus, bus_keyring(read_settings(BusSettings)), address=address) as broker, coordinating(bus):
        sys.stdout.write("broker_started\n")
        while True:
            await asyncio.sleep(1)
            sys.stdout.write(f"refused {broker.refused.total()} connections {broker.connections}\n")


if __name__ == "__main__":
    asyncio.run(main())
