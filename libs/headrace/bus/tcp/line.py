"""The line to a broker: one connection, made when it is needed, and again when it has ended.

| event | fields | when |
| --- | --- | --- |
| `bus_lost_data` (error) | address, lost | another life of the broker answers: what the former one held is gone |
"""

import asyncio
from collections.abc import Callable, Iterable

import structlog

from headrace.bus.tcp.address import Address
from headrace.bus.tcp.connection import Connection, Given
from headrace.bus.tcp.methods import Method
from headrace.errors import BusError, BusUnavailableError
from headrace.kernel.clock import Clock
from headrace.wire.signing import Keyring

_log = structlog.get_logger("headrace.bus")
_CONNECT_S = 5.0


class Line:
    """Asks a broker.

    Args:
        address: Where it listens.
        answer_s: Seconds that an answer may take over what its call waits by itself.
        first: Gives the calls to ask on each new connection before all others.

    Attributes:
        losses: How often another life of the broker answered than before.
    """

    def __init__(
        self,
        address: Address,
        keyring: Keyring,
        clock: Clock,
        *,
        answer_s: float,
        first: Callable[[], Iterable[tuple[Method, bytes]]],
    ) -> None:
        self._address = address
        self._keyring = keyring
        self._clock = clock
        self._answer_s = answer_s
        self._first = first
        self._connection: Connection | None = None
        self._connecting = asyncio.Lock()
        self._life = b""
        self._is_closed = False
        self.losses = 0

    async def ask(self, method: Method, arguments: bytes, *, wait_s: float, after: int) -> Given:
        """Ask; a call that is not answered in time cuts the connection, whose other end may be gone.

        Args:
            wait_s: Seconds that the call waits by itself.

        Raises:
            BusUnavailableError: The broker cannot be reached, or does not answer.
            BusError: It answered with an error.
        """
        connection = self._connection
        if connection is None or connection.is_over:
            connection = await self._connected()
        try:
            async with asyncio.timeout(wait_s + self._answer_s):
                return await connection.ask(method, arguments, after)
        except TimeoutError:
            why = f"'{method.name}' had no answer within {wait_s + self._answer_s:g} s"
            connection.close(why)
            raise BusUnavailableError(str(self._address), why) from None

    def close(self) -> None:
        """Cut the connection, and make no other; idempotent."""
        self._is_closed = True
        if self._connection is not None:
            self._connection.close("it was closed here")

    async def _connected(self) -> Connection:
        async with self._connecting:  # of many callers one connects, and the others find it done
            if self._is_closed:
                raise BusUnavailableError(str(self._address), "it was closed here")
            if self._connection is None or self._connection.is_over:
                self._connection = await self._connect()
            return self._connection

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        connection = Connection(str(self._address), self._keyring, self._clock)
        try:
            async with asyncio.timeout(_CONNECT_S):
                await loop.create_connection(lambda: connection, self._address.host, self._address.port)
                self._meet(await connection.greeted)
                for method, arguments in self._first():
                    await connection.ask(method, arguments, 0)
        except TimeoutError:
            connection.close("no answer")
            raise BusUnavailableError(str(self._address), f"no handshake within {_CONNECT_S:g} s") from None
        except OSError as error:
            raise BusUnavailableError(str(self._address), type(error).__name__) from error
        except (asyncio.CancelledError, BusError):
            connection.close("nobody waits for it")
            raise
        return connection

    def _meet(self, life: bytes) -> None:
        """Say loudly where this is another broker than it was."""
        if self._life not in (b"", life):
            self.losses += 1
            _log.error(
                "bus_lost_data",
                address=str(self._address),
                lost="all that it held: runs that were open before are gone",
            )
        self._life = life
