"""A channel on Redis between processes, one of which may be killed."""

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import anyio
import pytest

from headrace.bus.redis.bus import RedisBus
from headrace.channels import Nothing, channel
from headrace.testing.channel_contract import Note


@pytest.fixture
def anyio_backend() -> str:
    """Buses are asyncio's."""
    return "asyncio"


PROGRAM = """
import asyncio, sys
from headrace.bus.redis.bus import RedisBus
from headrace.channels import channel
from headrace.testing.channel_contract import Note

async def main(url, namespace, first):
    bus = RedisBus(url, namespace=namespace)
    tx, _ = channel(Note, distributed=True, bus=bus, name="notes", capacity=4)
    async with tx:
        for number in range(first, first + 10):
            await tx.send(Note(number))
    await bus.aclose()

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""

HELD = """
import asyncio, sys
from headrace.bus.redis.bus import RedisBus
from headrace.channels import channel
from headrace.testing.channel_contract import Note

async def main(url, namespace):
    bus = RedisBus(url, namespace=namespace)
    _, rx = channel(Note, distributed=True, bus=bus, name="notes", capacity=4, lease_s=0.5)
    print((await rx.recv()).number, flush=True)
    await asyncio.Event().wait()

asyncio.run(main(sys.argv[1], sys.argv[2]))
"""


def running(program: str, *args: str) -> AbstractAsyncContextManager[anyio.abc.Process]:
    @asynccontextmanager
    async def run() -> AsyncGenerator[anyio.abc.Process]:
        command = [sys.executable, "-c", program, *args]
        async with await anyio.open_process(command, stderr=None) as process:
            try:
                yield process
            finally:
                if process.returncode is None:
                    process.kill()

    return run()


@pytest.mark.slow
async def test_messages_of_several_processes_come_each_once_and_each_processs_in_order(
    redis_bus: RedisBus, redis_url: str, namespace: str
) -> None:
    tx, rx = channel(Note, capacity=4, distributed=True, bus=redis_bus, name="notes")
    await tx.send(Note(1_000))  # this end keeps the channel open when one process has ended before the other begins
    assert await rx.recv() == Note(1_000)
    got: list[int] = []
    async with running(PROGRAM, redis_url, namespace, "0") as one, running(PROGRAM, redis_url, namespace, "100") as two:
        while len(got) < 20:
            got.append((await rx.recv()).number)
        assert (await one.wait(), await two.wait()) == (0, 0)
    await tx.aclose()
    await rx.aclose()
    assert [number for number in got if number < 100] == list(range(10))
    assert [number for number in got if number >= 100] == list(range(100, 110))


@pytest.mark.slow
async def test_a_message_of_a_process_that_is_killed_goes_to_another(
    redis_bus: RedisBus, redis_url: str, namespace: str
) -> None:
    tx, rx = channel(Note, capacity=4, distributed=True, bus=redis_bus, name="notes")
    await tx.send(Note(7))
    async with running(HELD, redis_url, namespace) as victim:
        assert victim.stdout is not None
        assert (await victim.stdout.receive(1)) == b"7"
        assert await rx.try_recv() is Nothing.EMPTY
        victim.kill()
        assert await asyncio.wait_for(rx.recv(), 30) == Note(7)
    await tx.aclose()
    await rx.aclose()
