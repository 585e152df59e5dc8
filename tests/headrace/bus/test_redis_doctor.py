"""The doctor on real servers, good ones and bad ones."""

import re
from collections.abc import Iterator

import pytest
from redis import Redis
from tests.headrace_worker.app import pipe
from tests.support.acl import make_users
from tests.support.redis_cluster import RedisCluster
from tests.support.redis_server import DURABLE, IN_MEMORY, RedisServer

from headrace.bus.redis.bus import RedisBus
from headrace.bus.redis.inspect.census import take_census
from headrace.bus.redis.inspect.checks import Check
from headrace.bus.redis.inspect.doctor import examine
from headrace.bus.redis.inspect.findings import Kind, Verdict
from headrace.bus.redis.inspect.places import Places
from headrace.bus.redis.keys import Keys
from headrace.kernel.clock import SystemClock
from headrace.ledger.values import Emit, Submission, Submitted

OK, WARN, FAIL, UNKNOWN = Verdict.OK, Verdict.WARN, Verdict.FAIL, Verdict.UNKNOWN
pytestmark = pytest.mark.slow


class Ahead(SystemClock):
    """The clock of a host that is two minutes ahead."""

    def now(self) -> float:
        return super().now() + 120


async def checked(url: str, namespace: str, partitions: int = 1, clock: SystemClock | None = None) -> dict[str, Check]:
    places = Places(url, namespace)
    try:
        return {check.name: check for check in await examine(places, partitions, clock or SystemClock())}
    finally:
        await places.aclose()


def verdicts(checks: dict[str, Check], *names: str) -> list[Verdict]:
    return [checks[name].verdict for name in names]


async def test_a_durable_server_with_bounds_is_fine(namespace: str) -> None:
    with RedisServer((*DURABLE, "--maxmemory", "200mb")) as server:
        checks = await checked(server.url, namespace)
    assert {check.verdict for check in checks.values()} == {OK}
    assert checks["persistence"].found == "append-only file, synced on every write"


async def test_what_puts_runs_at_risk_is_said(namespace: str) -> None:
    with RedisServer((*IN_MEMORY, "--maxmemory-policy", "allkeys-lru", "--maxmemory", "1100kb")) as server:
        checks = await checked(server.url, namespace)
    assert verdicts(checks, "eviction", "persistence") == [FAIL, WARN]
    assert checks["memory"].verdict in (WARN, FAIL)
    assert checks["eviction"].advice == "set maxmemory-policy noeviction"


async def test_what_a_managed_server_does_not_tell_is_unknown(namespace: str) -> None:
    with RedisServer((*DURABLE, "--rename-command", "CONFIG", "")) as server:
        checks = await checked(server.url, namespace)
    assert verdicts(checks, "eviction", "persistence", "scripts") == [OK, UNKNOWN, OK]


async def test_a_user_who_may_not_run_scripts_is_told(namespace: str) -> None:
    with RedisServer() as server:
        with Redis.from_url(server.url) as client:
            client.acl_setuser("ops", enabled=True, nopass=True, keys=["*"], commands=["+@all", "-eval", "-config"])
        checks = await checked(server.url.replace("//", "//ops:x@"), namespace)
    assert verdicts(checks, "scripts", "persistence") == [FAIL, WARN]
    assert "ops:x" not in str(checks)


@pytest.mark.parametrize("is_redis_6", [False, True])
async def test_the_user_of_a_service_is_told_what_every_connection_may_ask(namespace: str, is_redis_6: bool) -> None:
    with RedisServer() as server:
        urls = make_users(server.url, pipe.compile(), namespace, is_redis_6=is_redis_6)
        del urls["keda"]  # no service: it counts what waits
        for service, url in urls.items():
            checks = await checked(url, namespace)
            assert FAIL not in {check.verdict for check in checks.values()}, service
            assert verdicts(checks, "version", "scripts", "mode", "clock") == [OK] * 4, service
            unknown = {name for name, check in checks.items() if check.verdict is UNKNOWN}
            hidden = {"eviction", "persistence", "replication", "memory", "pauses"}
            assert unknown == (set() if service == "operator" else hidden), service


async def test_the_user_of_a_service_is_told_that_its_server_is_a_replica(namespace: str) -> None:
    with RedisServer() as master, RedisServer(("--replicaof", "127.0.0.1", str(master.port))) as replica:
        url = make_users(replica.url, pipe.compile(), namespace)["reply"]
        assert (await checked(url, namespace))["replication"].found == "this server is a replica"


async def test_a_clock_that_differs_is_said(redis_url: str, namespace: str) -> None:
    checks = await checked(redis_url, namespace, clock=Ahead())
    assert checks["clock"].verdict is WARN
    said = re.fullmatch(r"this host is (\d+) ms ahead", checks["clock"].found)
    assert said is not None
    assert 120_000 <= int(said[1]) < 130_000, "what asking took is in it"


async def test_partitions_beyond_the_setting_are_said(redis_url: str, namespace: str) -> None:
    bus = RedisBus(redis_url, namespace=namespace, partitions=3)
    await bus.submit([Submission(f"0002{1:028x}", "pipe", "v1", (Emit("pipe.in", b"in"),))])
    await bus.aclose()
    assert (await checked(redis_url, namespace, 3)).keys().isdisjoint({"partitions"})
    beyond = (await checked(redis_url, namespace, 2))["partitions"]
    assert (beyond.verdict, beyond.found) == (FAIL, "keys in 3 partitions, and the setting is 2")


@pytest.fixture(scope="module")
def cluster() -> Iterator[RedisCluster]:
    with RedisCluster() as made:
        yield made


async def test_a_cluster_is_examined_server_by_server(cluster: RedisCluster, namespace: str) -> None:
    places = Places(cluster.url, namespace)
    checks = await examine(places, 30, SystemClock())
    await places.aclose()
    assert [check.verdict for check in checks if check.name in ("version", "mode", "partitions")] == [OK] * 7
    assert (await checked(cluster.url, namespace, 1))["partitions"].verdict is WARN


async def test_a_cluster_given_as_one_server_is_said(cluster: RedisCluster, namespace: str) -> None:
    reply = make_users(cluster.servers[0].url, pipe.compile(), namespace)["reply"]
    for url in (cluster.servers[0].url, reply):
        assert (await checked(url, namespace))["mode"].verdict is FAIL


async def test_leaks_are_found_on_each_server_of_a_cluster(cluster: RedisCluster, namespace: str) -> None:
    bus = RedisBus(cluster.url, namespace=namespace, partitions=30)
    runs = [f"{partition:04x}{number:028x}" for partition in range(30) for number in range(3)]
    frames = [bytes.fromhex(run) + b"x" for run in runs]
    submissions = [
        Submission(run, "pipe", "v1", (Emit("pipe.in", frame),)) for run, frame in zip(runs, frames, strict=True)
    ]
    assert await bus.submit(submissions) == [Submitted.NEW] * len(runs)
    places = Places(cluster.url, namespace)
    assert (await take_census(places, apart_s=0.01)).findings == []
    for partition in range(30):
        await places.connections.commands.xtrim(Keys(namespace, partition).stream("pipe.in"), maxlen=0)
    found = (await take_census(places, apart_s=0.01)).findings
    await places.aclose()
    await bus.aclose()
    assert sorted(finding.run for finding in found) == runs
    assert {finding.kind for finding in found} == {Kind.CONSERVATION}
