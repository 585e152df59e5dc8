"""The broker: serves a bus to other processes of this machine over loopback TCP.

It keeps nothing itself: the bus that it serves is as durable as it is. The memory bus ends with its process; then all
that was under way is gone, and clients say so loudly when they meet the next life of the broker.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from headrace.bus.protocol import Bus
from headrace.bus.tcp import handshake
from headrace.bus.tcp.address import Address, checked
from headrace.bus.tcp.guards import DEFAULT_GUARDS, Guards
from headrace.bus.tcp.kept import Kept
from headrace.bus.tcp.nonces import Nonces
from headrace.bus.tcp.peer import House, Peer
from headrace.bus.tcp.refusals import Refusal
from headrace.bus.tcp.workers import Left, Workers
from headrace.kernel.clock import Clock, SystemClock, random_bytes
from headrace.wire.signing import Keyring

ANYWHERE = Address("127.0.0.1", 0)
_NONCES = 65_536  # handshakes in two windows: a process has one


class Broker:
    """A broker that serves; `serving` makes it.

    Attributes:
        address: Where it listens.
        refused: What it refused, by reason.
    """

    def __init__(self, address: Address, house: House) -> None:
        self.address = address
        self._house = house
        self.refused: Counter[Refusal] = house.refused

    @property
    def connections(self) -> int:
        """How many connections there are, those whose handshake is under way included."""
        return len(self._house.peers)


@asynccontextmanager
async def serving(
    bus: Bus,
    keyring: Keyring,
    *,
    address: Address = ANYWHERE,
    guards: Guards = DEFAULT_GUARDS,
    clock: Clock | None = None,
    left: Left | None = None,
) -> AsyncGenerator[Broker]:
    """Serve a bus until the context closes; then every connection is cut. The bus itself stays open.

    Args:
        keyring: Whoever has one of its keys may speak to the bus.
        address: On this machine.
        clock: By which frames are fresh.
        left: Told of each worker whose connection has ended, so that the bus need not wait for its leases to run out.

    Raises:
        SettingsError: The address is of another machine.
        OSError: The port is taken.
    """
    checked(address)
    error: BaseException | None = None
    async with asyncio.TaskGroup() as calls:
        house = House(
            bus=bus,
            keyring=keyring,
            clock=clock or SystemClock(),
            calls=calls,
            nonces=Nonces(window_ms=guards.window_ms, limit=_NONCES),
            kept=Kept(),
            workers=Workers(left),
            life=random_bytes(handshake.LIFE_BYTES),
            guards=guards,
            refused=Counter(),
            greeted=set(),
            peers=set(),
            closing=asyncio.Event(),
            empty=asyncio.Event(),
        )
        server: asyncio.Server | None = None
        try:
            loop = asyncio.get_running_loop()
            server = await loop.create_server(lambda: Peer(house), address.host, address.port)
            host, port, *_ = server.sockets[0].getsockname()
            yield Broker(Address(host, port), house)
        except BaseException as raised:  # noqa: BLE001 - raised again below, outside the group that would wrap it
            error = raised
        if server is not None:
            server.close()
        house.closing.set()
        for peer in tuple(house.peers):
            peer.close()
        if house.peers:
            await house.empty.wait()
    if error is not None:
        raise error
