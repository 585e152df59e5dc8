"""The services do their work with the rights that the graph gives them, and a stolen password opens nothing else."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import httpx
import pytest
from redis import Redis
from redis.exceptions import ResponseError
from tests.acl.secured import Secured, secured
from tests.support.services import services

from headrace.bus.redis.work import WORKERS
from headrace.testing.wait import wait_until_sync

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

FUND_LOAD = "examples.fund_load:pipe"
ORDERS = "examples.orders:pipe"
LOADS = 40
ENDED_S = 30


@pytest.fixture(scope="module")
def fund_load() -> Iterator[Secured]:
    with secured(FUND_LOAD) as deployment:
        yield deployment


def load(http: httpx.Client, number: int, **headers: str) -> httpx.Response:
    attempt = {"id": str(number), "customer_id": str(number), "load_amount": "$1.00", "time": "2026-01-01T00:00:00Z"}
    return http.post("/v1/pipes/fund_load", json=attempt, headers=headers)


def order(
    http: httpx.Client, *articles: str, quantity: int = 1, customer: str = "ada", **headers: str
) -> httpx.Response:
    lines = [{"article": article, "quantity": quantity} for article in articles]
    return http.post("/v1/pipes/orders", json={"id": "1", "customer": customer, "lines": lines}, headers=headers)


def test_every_service_finds_that_the_bus_is_fit_and_starts_nothing(fund_load: Secured) -> None:
    for service in fund_load.services():
        verifying = fund_load.verifying(service, within_s=10)
        assert (verifying.process.wait(ENDED_S), verifying.log) == (0, "")
    fund_load.denied()  # what is not told to a service is asked, and takes a no


def test_a_keyed_pipe_answers_and_nothing_is_refused(fund_load: Secured) -> None:
    with fund_load.whole() as http, ThreadPoolExecutor(8) as callers:
        answers = list(callers.map(lambda number: load(http, number).json()["accepted"], range(LOADS)))
        cancelled = load(http, 59, Prefer="respond-async").headers["location"]
        http.delete(cancelled)
        assert load(http, 58, **{"X-Request-Timeout": "0.001"}).status_code in (200, 504)
    assert answers == [True] * LOADS
    assert fund_load.denied() == []


def test_joins_gathers_and_signals_work_and_nothing_is_refused() -> None:
    with secured(ORDERS) as deployment, deployment.whole() as http:
        receipt = order(http, "tea", "coffee", "unknown")
        assert receipt.json() == {"articles": ["tea", "coffee"], "cents": 1035}
        empty = order(http)
        assert empty.json() == {"articles": [], "cents": 0}
        run = order(http, "samovar", quantity=2, Prefer="respond-async").headers["location"]
        assert http.post(f"{run}/signals/approval", json={"granted": True}).status_code < 300
        assert http.get(run, params={"wait": 20}).json()["result"] == {"articles": ["samovar"], "cents": 81_000}
        unapproved = order(http, "samovar", quantity=2, Prefer="respond-async").headers["location"]
        http.delete(unapproved)
        assert http.get(unapproved).json()["state"] == "cancelled"
        expiring = order(http, "samovar", quantity=2, **{"Prefer": "respond-async", "X-Request-Timeout": "1"})
        ended = http.get(expiring.headers["location"], params={"wait": 20})
        assert ended.json()["state"] == "expired"
        assert deployment.denied() == []


def test_what_a_dead_worker_held_is_taken_over_and_nothing_is_refused(fund_load: Secured) -> None:
    stream = fund_load.keys.stream("fund_load.intake")
    with fund_load.whole(without="intake") as http, fund_load.client("admin") as admin:
        run = load(http, 100, Prefer="respond-async").headers["location"]
        with suppress(ResponseError):  # BUSYGROUP: a test before this one has made it
            admin.xgroup_create(stream, WORKERS, id="0")
        assert admin.xreadgroup(WORKERS, "dead", {stream: ">"}), "the dead worker has taken the run's first hop"
        admin.xadd(stream, {"0": "no envelope"})
        with services(fund_load.worker("intake", lease_s="0.5")):
            assert http.get(run, params={"wait": 20}).json()["state"] == "completed"
            wait_until_sync(lambda: admin.xlen(stream) == 0, timeout_s=20, description="the stream is empty")
        assert admin.xlen(fund_load.keys.dead("fund_load.intake")) == 1
    assert fund_load.denied() == []


class TestAStolenPasswordOfAWorker:
    @pytest.fixture
    def thief(self, fund_load: Secured) -> Iterator[Redis]:
        with fund_load.client("worker-intake") as client:
            yield client
        assert fund_load.denied()  # every refusal stands in the server's log

    @pytest.mark.parametrize("group", ["decisions", "answers"])
    def test_reads_no_other_groups_stream(self, thief: Redis, fund_load: Secured, group: str) -> None:
        stream = fund_load.keys.stream(f"fund_load.{group}")
        for command in (
            ("XRANGE", stream, "-", "+"),
            ("XREAD", "STREAMS", stream, "0"),
            ("XREADGROUP", "GROUP", WORKERS, "thief", "STREAMS", stream, ">"),
            ("XPENDING", stream, WORKERS),
            ("XAUTOCLAIM", stream, WORKERS, "thief", "0", "0"),
            ("XINFO", "STREAM", stream),
            ("DEL", stream),
            ("XDEL", stream, "1-1"),
        ):
            refused(thief, *command)
            scripted = ", ".join(f"'{word}'" if word != stream else "KEYS[1]" for word in command)
            refused(thief, "EVAL", f"return redis.call({scripted})", 1, stream)

    def test_appends_to_its_successor_and_to_no_other(self, thief: Redis, fund_load: Secured) -> None:
        thief.xadd(fund_load.keys.stream("fund_load.decisions"), {"0": "x"}, minid="9")
        refused(thief, "XADD", fund_load.keys.stream("fund_load.answers"), "*", "0", "x")
        refused(thief, "XADD", fund_load.keys.dead("fund_load.answers"), "*", "0", "x")
        refused(thief, "ZADD", fund_load.keys.scheduled("fund_load.decisions"), 0, "x")

    @pytest.mark.parametrize(
        "command",
        [
            *("FLUSHALL", "FLUSHDB", "CONFIG GET *", "CONFIG SET maxmemory 1", "KEYS *", "SCAN 0", "RANDOMKEY"),
            *("ACL LIST", "ACL WHOAMI", "CLIENT LIST", "CLIENT KILL TYPE normal", "MONITOR", "INFO", "SHUTDOWN NOSAVE"),
            *("LATENCY LATEST", "SCRIPT FLUSH", "SCRIPT KILL", "FUNCTION LIST", "MODULE LIST", "REPLICAOF NO ONE"),
            *("SELECT 1", "SUBSCRIBE a", "PUBLISH a b", "MULTI", "GET other:key", "SET other:key 1", "SLOWLOG GET"),
        ],
    )
    def test_runs_nothing_else(self, thief: Redis, command: str) -> None:
        refused(thief, *command.split())

    def test_reads_no_answers_and_no_waiters(self, thief: Redis, fund_load: Secured) -> None:
        refused(thief, "XRANGE", fund_load.keys.replies, "-", "+")
        refused(thief, "XREAD", "STREAMS", fund_load.keys.replies, "0")
        refused(thief, "HGETALL", fund_load.keys.waiters)
        refused(thief, "XREAD", "STREAMS", fund_load.keys.inbox("client-1"), "0")


@pytest.mark.parametrize(
    ("service", "command"),
    [
        ("reply", ("XREAD", "STREAMS", "{fund_load:0}:stream:fund_load.intake", "0")),
        ("reply", ("XADD", "{fund_load:0}:stream:fund_load.intake", "*", "0", "x")),
        ("reply", ("HGET", "{fund_load:0}:run:1", "terminal")),
        ("gateway", ("XREAD", "STREAMS", "{fund_load:0}:stream:fund_load.intake", "0")),
        ("gateway", ("XADD", "{fund_load:0}:stream:fund_load.answers", "*", "0", "x")),
        ("gateway", ("XREAD", "STREAMS", "{fund_load:0}:replies", "0")),
        ("keda", ("XRANGE", "{fund_load:0}:stream:fund_load.intake", "-", "+")),
        ("keda", ("XLEN", "{fund_load:0}:replies")),
        ("keda", ("EVAL", "return 1", "0")),
        ("operator", ("FLUSHALL",)),
        ("operator", ("KEYS", "*")),
        ("operator", ("CONFIG", "GET", "*")),
        ("operator", ("GET", "other:key")),
    ],
)
def test_no_other_service_does_more_than_its_own(fund_load: Secured, service: str, command: tuple[str, ...]) -> None:
    with fund_load.client(service) as thief:
        refused(thief, *command)
    fund_load.denied()


def test_keda_sees_how_long_streams_are(fund_load: Secured) -> None:
    streams = [fund_load.keys.stream(f"fund_load.{group}") for group in fund_load.plan.groups]
    with fund_load.client("keda") as keda, fund_load.client("admin") as admin:
        entry = admin.xadd(streams[0], {"0": "no envelope"})
        seen = [keda.xlen(stream) for stream in streams]
        assert seen == [admin.xlen(stream) for stream in streams]
        assert seen[0] > 0
        admin.xdel(streams[0], entry)


def refused(client: Redis, *command: object) -> None:
    """Have a command refused, for want of the right to it; within a script the server words that in other ways."""
    with pytest.raises(
        ResponseError, match=r"no permissions|can't run this command|can't access at least one of the keys"
    ):
        client.execute_command(*command)  # type: ignore[no-untyped-call]  # untyped in the client
