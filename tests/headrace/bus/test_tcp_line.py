"""How a client of the tcp bus makes its connection: once, when it is needed, and to a broker alone."""

import asyncio
import socket

import pytest
from tests.headrace.bus.tcp_wire import KEYS, client

from headrace.bus.memory.bus import MemoryBus
from headrace.bus.tcp.broker import serving
from headrace.errors import BusUnavailableError
from headrace.testing.wait import wait_until


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """Services run on uvloop, and tests of pipes on whatever they have."""
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


async def test_a_call_that_is_cancelled_while_it_connects_is_just_cancelled() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:  # accepts nobody
        port: int = full.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):  # and has no room for another
            async with client(f"tcp://127.0.0.1:{port}") as bus:
                call = asyncio.create_task(bus.now_ms())
                await wait_until(bus._line._connecting.locked, description="it connects")
                call.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await call


async def test_nobody_listens_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with client(f"tcp://127.0.0.1:{port}") as bus:
        with pytest.raises(BusUnavailableError, match="ConnectionRefusedError"):
            await bus.now_ms()


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", bytes(200)])
async def test_whoever_else_listens_there_is_refused(said: bytes) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(said)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with client(f"tcp://127.0.0.1:{port}") as bus:
            with pytest.raises(BusUnavailableError):
                await bus.now_ms()


async def test_many_callers_make_one_connection() -> None:
    async with serving(MemoryBus(), KEYS) as broker, client(str(broker.address)) as bus:
        await asyncio.gather(*(bus.now_ms() for _ in range(50)))
        assert broker.connections == 1


async def test_a_closed_bus_stays_closed() -> None:
    async with serving(MemoryBus(), KEYS) as broker, client(str(broker.address)) as bus:
        await bus.now_ms()
        await bus.aclose()
        await bus.aclose()
        with pytest.raises(BusUnavailableError, match="it was closed here"):
            await bus.now_ms()
