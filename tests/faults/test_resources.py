"""Memory and disk that run out: of a node, of a worker's machine, of the server."""

import asyncio
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from redis.asyncio import Redis
from tests.faults.app import Do
from tests.faults.crashing import Point
from tests.faults.deployment import Deployment, answers, asks, counted, killed, run_many
from tests.support.redis_server import DURABLE, RedisServer
from tests.support.redis_server import answers as answers_at

from headrace.errors import BusFullError
from headrace.ledger.terminal import failure_of
from headrace.testing.wait import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
DISK_BYTES = 16 * 1024 * 1024
CHUNK_BYTES = 64 * 1024
A_LOT = 1500


async def test_a_node_that_runs_out_of_memory_fails_its_run_and_no_other(deployed: Deployment) -> None:
    worker = await deployed.worker("second")
    async with deployed.client("first", "third", with_reply=True) as client:
        ((_, greedy),) = await client.ask_all(asks(1, do=Do.EXHAUST))
        failure = failure_of(await asyncio.wait_for(greedy, 20))
        assert (failure.kind, failure.node, failure.error) == ("step", "work", "MemoryError")
        assert await answers(client, await client.ask_all(asks())) == counted()
        assert worker.process.poll() is None
    await deployed.assert_settled(len(asks()) + 1, allow=("dead",))


async def test_a_node_killed_by_the_kernel_that_is_out_of_memory_is_done_again_elsewhere(
    deployed: Deployment, tmp_path: Path
) -> None:
    greedy = deployed.crashing_worker("second", Point.NOWHERE)
    async with deployed.client("first", "third", with_reply=True) as client:
        asked = await client.ask_all(asks(do=Do.DIE_ONCE, path=tmp_path / "died"))
        assert await killed(greedy)
        await deployed.worker("second")
        assert await answers(client, asked) == counted()
    await deployed.assert_settled(len(asked))


async def test_a_server_at_its_memory_limit_refuses_new_runs_and_ends_those_under_way(
    deployed_apart: Deployment, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    await deployed_apart.worker("second")
    async with deployed_apart.client("first", "third", with_reply=True) as client:
        asked = await client.ask_all(asks(do=Do.WAIT, path=gate))
        await wait_until(lambda: is_held(deployed_apart, len(asked)), description="all are in the node")
        async with Redis.from_url(deployed_apart.url) as redis:
            await redis.config_set("maxmemory-policy", "noeviction")
            await redis.config_set("maxmemory", 1)
            with pytest.raises(BusFullError, match="is at its memory limit"):
                await client.ask_all(asks(1))
            gate.touch()
            assert await answers(client, asked) == counted()
            await redis.config_set("maxmemory", 0)
        assert [each.number for each in await answers(client, await client.ask_all(asks(1)))] == [len(asked) + 1]
    await deployed_apart.assert_settled(len(asked) + 1)


async def test_a_disk_full_under_aof_always_ends_the_server_and_loses_nothing_when_there_is_room(
    small_disk: Path,
) -> None:
    with RedisServer((*DURABLE, "--dir", str(small_disk))) as server:
        async with Deployment(server.url, "n") as deployment:
            await deployment.worker("second")
            async with deployment.client("first", "third", with_reply=True) as client:
                asked = asyncio.create_task(run_many(client, A_LOT))
                await wait_until(lambda: is_busy(deployment), timeout_s=30, description="work is under way")
                ballast = fill(small_disk)
                gone = "the server gives up rather than answer what is not on disk"
                await wait_until(lambda: not answers_at(server.url), description=gone)
                ballast.unlink()
                await asyncio.to_thread(server.restart)
                assert await asked == counted(A_LOT)
            await deployment.assert_settled(A_LOT)


async def test_a_disk_full_under_aof_every_second_is_waited_for(small_disk: Path) -> None:
    every_second = (*DURABLE[:-1], "everysec")
    with RedisServer((*every_second, "--dir", str(small_disk))) as server:
        async with Deployment(server.url, "n") as deployment:
            await deployment.worker("second")
            async with deployment.client("first", "third", with_reply=True) as client:
                asked = asyncio.create_task(run_many(client, A_LOT))
                await wait_until(lambda: is_busy(deployment), timeout_s=30, description="work is under way")
                ballast = fill(small_disk)
                await wait_until(lambda: refuses_writes(deployment), description="the server takes no writes")
                waiting = asyncio.create_task(client.ask_all(asks(1, key="later"), patience_s=30))
                assert not (await asyncio.wait((waiting,), timeout=0.3))[0]
                ballast.unlink()
                assert await asked == counted(A_LOT)
                assert await answers(client, await waiting) == counted(1)
            await deployment.assert_settled(A_LOT + 1)


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A disk of its own for the server; needs the right to mount."""
    with mounted() as disk:
        yield disk


@contextmanager
def mounted() -> Iterator[Path]:
    disk = Path(tempfile.mkdtemp(prefix="headrace-disk-"))
    options = ("-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", str(disk))
    is_mounted = shutil.which("mount") and subprocess.run(["mount", *options], check=False).returncode == 0
    try:
        if not is_mounted:
            pytest.skip("a full disk needs a small one, and this user may not mount one")
        yield disk
    finally:
        if is_mounted:
            subprocess.run(["umount", "-l", str(disk)], check=True)
        disk.rmdir()


def fill(disk: Path) -> Path:
    """Fill a disk, whatever the server still writes beside; gives what to delete to have room again."""
    ballast = disk / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(bytes(CHUNK_BYTES)) == CHUNK_BYTES:
            pass
        while file.write(b"\0"):
            pass
    return ballast


async def is_held(deployment: Deployment, entries: int) -> bool:
    return await deployment.pending("second") == entries


async def is_busy(deployment: Deployment) -> bool:
    return await deployment.pending("second") > 0


async def refuses_writes(deployment: Deployment) -> bool:
    async with Redis.from_url(deployment.url) as redis:
        about = await redis.info("persistence")
    return bool(about["aof_last_write_status"] == "err")
