"""What the facts of a server mean for what Headrace promises. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from headrace.bus.redis.inspect.facts import Facts
from headrace.bus.redis.inspect.findings import Verdict

OK, WARN, FAIL, UNKNOWN = Verdict.OK, Verdict.WARN, Verdict.FAIL, Verdict.UNKNOWN
_LEAST_REDIS, _LEAST_VALKEY = (6, 2), (7, 2)
_SLOW_MS, _VERY_SLOW_MS = 5.0, 50.0
_CLOCK_MS = 1000.0
_S_MS = 1000
_NEARLY_FULL, _FULL = 0.75, 0.95
_MIB = 1024 * 1024
_NO_LOSS = "what was answered survives a crash of the server"
_NOT_TOLD = "the server does not tell this user"
_SYNCED = {  # by appendfsync
    "always": (OK, ", synced on every write", ""),
    "everysec": (
        OK,
        ", synced every second",
        "a crash of the machine costs up to a second; appendfsync always costs nothing, a disk write a commit",
    ),
    "no": (
        WARN,
        ", synced by the system",
        "a crash of the machine costs up to half a minute: set appendfsync everysec or always",
    ),
}
_SYNC_NOT_TOLD = (UNKNOWN, "; when it is synced is not told", "")


class Check(Struct, frozen=True):
    """One line of a doctor's report.

    Attributes:
        name: What was looked at.
        found: What was seen.
        guarantee: What it is about, in plain words.
        advice: What to do; empty where there is nothing.
        at: The server, empty for all of them.
    """

    name: str
    verdict: Verdict
    found: str
    guarantee: str
    advice: str = ""
    at: str = ""


def checks_of(facts: Facts, *, is_cluster_url: bool) -> Iterator[Check]:
    """Judge one server.

    Args:
        is_cluster_url: Whether the bus's address says that it is a cluster.
    """
    for check in (_version, _eviction, _persistence, _replication, _clock, _script, _latency, _memory):
        yield check(facts)
    yield _mode(facts, is_cluster_url=is_cluster_url)


def _version(facts: Facts) -> Check:
    info = facts.info
    is_valkey = "valkey_version" in info
    name, version = ("Valkey", info["valkey_version"]) if is_valkey else ("Redis", info.get("redis_version", "0"))
    least = _LEAST_VALKEY if is_valkey else _LEAST_REDIS
    numbers = tuple(int(part) for part in str(version).split(".")[:2] if part.isdigit())
    guarantee = "the commands that a commit is made of are there"
    if numbers >= least:
        return Check("version", OK, f"{name} {version}", guarantee, at=facts.at)
    advice = f"use {name} {'.'.join(map(str, least))} or newer"
    return Check("version", FAIL, f"{name} {version}", guarantee, advice, facts.at)


def _eviction(facts: Facts) -> Check:
    policy = str(facts.config.get("maxmemory-policy") or facts.info.get("maxmemory_policy") or "")
    guarantee = "no run is lost when memory is full"
    if policy == "noeviction":
        return Check("eviction", OK, policy, guarantee, at=facts.at)
    if not policy:
        return Check("eviction", UNKNOWN, _NOT_TOLD, guarantee, at=facts.at)
    return Check("eviction", FAIL, policy, guarantee, "set maxmemory-policy noeviction", facts.at)


def _persistence(facts: Facts) -> Check:
    name, guarantee, info = "persistence", _NO_LOSS, facts.info
    if "aof_enabled" not in info:
        return Check(name, UNKNOWN, _NOT_TOLD, guarantee, at=facts.at)
    if not info["aof_enabled"]:
        found = "no append-only file" + ("; snapshots" if facts.config.get("save") else "")
        advice = "a crash costs all since the last snapshot, if any: set appendonly yes"
        return Check(name, WARN, found, guarantee, advice, facts.at)
    if info.get("aof_last_write_status", "ok") != "ok":
        return Check(
            name, FAIL, "the append-only file cannot be written", guarantee, "look at the server's disk", facts.at
        )
    verdict, synced, advice = _SYNCED.get(facts.config.get("appendfsync", ""), _SYNC_NOT_TOLD)
    return Check(name, verdict, f"append-only file{synced}", guarantee, advice, facts.at)


def _replication(facts: Facts) -> Check:
    info = facts.info
    name, guarantee = "replication", "what was answered survives a failover"
    if info.get("role") != "master":
        return Check(name, FAIL, "this server is a replica", guarantee, "give the address of the master", facts.at)
    if "connected_slaves" not in info:
        return Check(name, UNKNOWN, _NOT_TOLD, guarantee, at=facts.at)
    replicas = int(info["connected_slaves"])
    if not replicas:
        return Check(name, OK, "no replicas, so no failover", guarantee, at=facts.at)
    needed = facts.config.get("min-replicas-to-write")
    found = f"{replicas} {'replica' if replicas == 1 else 'replicas'}"
    if needed is None:
        return Check(name, UNKNOWN, f"{found}; min-replicas-to-write is not told", guarantee, at=facts.at)
    if needed == "0":
        advice = "a master cut off goes on answering what is then lost: set min-replicas-to-write 1"
        return Check(name, WARN, f"{found}, none needed to write", guarantee, advice, facts.at)
    advice = "replication lags: a failover may cost the last moment"
    return Check(name, OK, f"{found}, {needed} needed to write", guarantee, advice, facts.at)


def _clock(facts: Facts) -> Check:
    guarantee = "times in logs agree; deadlines go by the server's clock alone"
    found = f"this host is {abs(facts.ahead_ms):.0f} ms {'ahead' if facts.ahead_ms > 0 else 'behind'}"
    if abs(facts.ahead_ms) - facts.ahead_ms_at_most_off < _CLOCK_MS:
        return Check("clock", OK, found, guarantee, at=facts.at)
    return Check("clock", WARN, found, guarantee, "synchronise the clocks (NTP)", facts.at)


def _script(facts: Facts) -> Check:
    guarantee = "a commit happens whole or not at all"
    if not facts.script_error:
        return Check("scripts", OK, "they run", guarantee, at=facts.at)
    return Check("scripts", FAIL, facts.script_error, guarantee, "let this user run EVAL and EVALSHA", facts.at)


def _latency(facts: Facts) -> Check:
    guarantee = "a hop costs two round trips"
    found = f"{facts.ping_ms:.2f} ms a round trip (median of 100)"
    if facts.ping_ms < _SLOW_MS:
        return Check("latency", OK, found, guarantee, at=facts.at)
    verdict = WARN if facts.ping_ms < _VERY_SLOW_MS else FAIL
    return Check("latency", verdict, found, guarantee, "bring workers and server nearer together", facts.at)


def _memory(facts: Facts) -> Check:
    info: Mapping[str, Any] = facts.info
    guarantee = "new runs are taken: when memory is full they are refused"
    if "used_memory" not in info:
        return Check("memory", UNKNOWN, _NOT_TOLD, guarantee, at=facts.at)
    used, limit = int(info["used_memory"]), int(info.get("maxmemory", 0))
    if not limit:
        found = f"{used / _MIB:,.0f} MiB used, no limit"
        advice = "set maxmemory below what the machine has, or the system may kill the server"
        return Check("memory", WARN, found, guarantee, advice, facts.at)
    share = used / limit
    found = f"{used / _MIB:,.0f} of {limit / _MIB:,.0f} MiB used ({share:.0%})"
    if share < _NEARLY_FULL:
        return Check("memory", OK, found, guarantee, at=facts.at)
    verdict = WARN if share < _FULL else FAIL
    return Check("memory", verdict, found, guarantee, "give it more memory, or take in less", facts.at)


def _mode(facts: Facts, *, is_cluster_url: bool) -> Check:
    guarantee = "every key is found, also when it moves"
    is_cluster = bool(int(facts.info.get("cluster_enabled", 0)))
    if is_cluster == is_cluster_url:
        return Check("mode", OK, "a cluster" if is_cluster else "one server", guarantee, at=facts.at)
    if is_cluster:
        advice = "give it as redis+cluster://HOST:PORT,..."
        return Check("mode", FAIL, "a cluster, and its address is not", guarantee, advice, facts.at)
    return Check("mode", FAIL, "no cluster, and its address is one", guarantee, "give it as redis://", facts.at)


def pauses(paused_ms: Mapping[str, int] | None) -> Check:
    """Judge which groups are paused.

    Args:
        paused_ms: For how many milliseconds each is; None where that is not told.
    """
    guarantee = "what waits is taken"
    if paused_ms is None:
        return Check("pauses", UNKNOWN, _NOT_TOLD, guarantee)
    if not paused_ms:
        return Check("pauses", OK, "no group is paused", guarantee)
    found = "paused: " + ", ".join(f"{name} for {ms // _S_MS:,} s" for name, ms in sorted(paused_ms.items()))
    return Check("pauses", WARN, found, guarantee, "headrace resume GROUP, once it may go on")


def spread(partitions: int, by_server: Mapping[str, int]) -> Check:
    """Judge how partitions lie on the servers of a cluster.

    Args:
        by_server: How many each has.
    """
    guarantee = "load is spread over the servers; it costs speed only"
    found = f"{partitions} {'partition' if partitions == 1 else 'partitions'}: " + ", ".join(
        f"{count} on {at}" for at, count in sorted(by_server.items())
    )
    if min(by_server.values()):
        return Check("partitions", OK, found, guarantee)
    return Check("partitions", WARN, found, guarantee, "set more partitions than servers, before the first run")


def beyond(partitions: int, used: int) -> Check | None:
    """Judge partitions that have keys and that the settings do not have; None where there are none."""
    if used <= partitions:
        return None
    found = f"keys in {used} partitions, and the setting is {partitions}"
    advice = "set partitions as every process of the deployment has it"
    return Check("partitions", FAIL, found, "no run is overlooked", advice)
