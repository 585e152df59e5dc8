"""Case 7: what each guarantee costs: commands, bytes and script time a message; what it costs where much is there.

The memory of a backlog, whether a worker grows while it works it off, and recovery are measured once.
"""

import base64
import time

from benchmarks.count import counted
from benchmarks.harness.costs import Costs
from benchmarks.harness.fleet import Fleet
from benchmarks.harness.passing import passing
from benchmarks.harness.redis_server import Server
from benchmarks.harness.session import Session, wait_until
from benchmarks.registry import PEERS, Peer

CASE = "7 guarantees"
_MODULE = "benchmarks.peers.guarantees"
_MESSAGES = 16_000
_MUCH = 100_000
_LEASE_S = 15.0  # the default of a worker
_NAPPING = 6_000
_BACKLOG = 1_000_000
_SIGNING = "k1:" + base64.b64encode(bytes(range(32))).decode()
_VARIANTS: dict[str, tuple[str, dict[str, str]]] = {
    "plain": ("plain", {}),
    "signed": ("plain", {"HEADRACE_SIGNING_KEYS": _SIGNING}),
    "keyed, 100 keys": ("keyed", {}),
    "keyed, 100,000 keys": ("keyed", {"BENCH_KEYS": "100000"}),
    "keyed with state": ("stateful", {}),
    "two messages joined": ("joined", {}),
    "16 partitions": ("plain", {"HEADRACE_PARTITIONS": "16"}),
    "64 partitions": ("plain", {"HEADRACE_PARTITIONS": "64"}),
}
_COUNTED = {"joined": 2}  # counted calls a message, where there is more than one
_ROUND_TRIPS = ("evalsha", "eval", "xreadgroup")  # the others are commands of scripts


def run(session: Session) -> None:
    """Measure."""
    peer = PEERS["headrace"]
    for variant, (role, environment) in _VARIANTS.items():

        def cost(
            peer: Peer, repeat: int, role: str = role, of: str = variant, env: dict[str, str] = environment
        ) -> None:
            _cost(session, peer, repeat, of, role, env)

        session.interleaved(CASE, [peer], cost)
    session.interleaved(CASE, [peer], lambda peer, repeat: _much_in_flight(session, peer, repeat))
    session.interleaved(CASE, [peer], lambda peer, repeat: None if repeat else _recovery(session, peer))
    session.interleaved(CASE, [peer], lambda peer, repeat: None if repeat else _backlog(session, peer))


def _worker(peer: Peer, role: str, url: str) -> list[str]:
    options = ["--app", f"{_MODULE}:{role}", "--group", role, "--bus-url", url, "--log-level", "warning"]
    return [peer.python, "-m", "headrace_worker", *options]


def _stream(role: str) -> str:
    return f"{{headrace:0}}:stream:{role}.{role}"


def _cost(session: Session, peer: Peer, repeat: int, variant: str, role: str, environment: dict[str, str]) -> None:
    messages = int(_MESSAGES * session.plan.scale)
    with session.fleet(peer, **environment) as (fleet, counts):
        session.fill(peer, fleet, role, messages, module=_MODULE)
        stored = session.server.used_bytes()
        session.server.commands.config_resetstat()
        fleet.start(_worker(peer, role, session.server.url))
        calls = _COUNTED.get(role, 1)
        metrics, others = passing(session, fleet, counts, messages * calls, until_empty=_stream(role))
        metrics |= {name: metrics[name] * calls for name in ("worker_cpu_us", "redis_cpu_us", "aside_cpu_us")}
        metrics["rate"] /= calls
        passed = counted(counts) // calls
        metrics |= _traffic(session.server, passed) | {"stored_bytes": stored / messages}
    session.add(CASE, variant, peer.name, repeat, metrics, others)


def _traffic(server: Server, messages: int) -> dict[str, float]:
    """Give what Redis did for a message since its statistics were reset."""
    commands, stats = server.commands.info("commandstats"), server.commands.info("stats")
    calls = {name.removeprefix("cmdstat_"): of for name, of in commands.items()}
    trips = sum(calls[name]["calls"] for name in _ROUND_TRIPS if name in calls)
    return {
        "script_us": calls["evalsha"]["usec"] / messages,
        "commands": sum(of["calls"] for name, of in calls.items()) / messages,
        "round_trips": trips / messages,
        "bytes_in": stats["total_net_input_bytes"] / messages,
        "bytes_out": stats["total_net_output_bytes"] / messages,
    }


def _much_in_flight(session: Session, peer: Peer, repeat: int) -> None:
    """Measure one-way work while many other runs are open, and the memory that these take."""
    messages, much = int(_MESSAGES * session.plan.scale), int(_MUCH * session.plan.scale)
    with session.fleet(peer) as (fleet, counts):
        before = session.server.used_bytes()
        session.fill(peer, fleet, "parked", much, module=_MODULE)
        taken = session.server.used_bytes() - before
        session.fill(peer, fleet, "plain", messages, module=_MODULE)
        fleet.start(_worker(peer, "plain", session.server.url))
        metrics, others = passing(session, fleet, counts, messages, until_empty=_stream("plain"))
    metrics |= {"backlog_bytes": taken / much}
    session.add(CASE, f"beside {much:,} open runs", peer.name, repeat, metrics, others)


def _backlog(session: Session, peer: Peer) -> None:
    """Work a backlog off: the memory that it takes, and by how much the worker's own grows meanwhile."""
    messages = int(_BACKLOG * session.plan.scale)
    with session.fleet(peer) as (fleet, counts):
        before = session.server.used_bytes()
        session.fill(peer, fleet, "plain", messages, module=_MODULE)
        taken = session.server.used_bytes() - before
        fleet.start(_worker(peer, "plain", session.server.url))
        wait_until(lambda: counted(counts) > messages * 0.05, "the first messages")
        early_mb, costs = fleet.rss_mb(), Costs(fleet, session.server)
        wait_until(lambda: counted(counts) >= messages, "the last message", timeout_s=600.0)
        metrics = {"backlog_bytes": taken / messages, "rss_mb": fleet.rss_mb(), "growth_mb": fleet.rss_mb() - early_mb}
        metrics |= costs.of(messages * 0.95)
    session.add(CASE, f"backlog of {messages:,}", peer.name, 0, metrics, costs.others())


def _recovery(session: Session, peer: Peer) -> None:
    """Kill one of two workers; time from then until all is done, beyond the lease."""
    with session.fleet(peer) as (fleet, counts):
        session.fill(peer, fleet, "napping", _NAPPING, module=_MODULE)
        victim = fleet.start(_worker(peer, "napping", session.server.url))
        fleet.start(_worker(peer, "napping", session.server.url))
        wait_until(lambda: len(list(counts.iterdir())) > 1, "both workers")
        victim.kill()
        killed_s = time.monotonic()
        _until_empty(session, fleet)
    session.add(CASE, "kill -9", peer.name, 0, {"recovery_s": time.monotonic() - killed_s - _LEASE_S}, 0.0)


def _until_empty(session: Session, fleet: Fleet) -> None:
    stream = _stream("napping")
    wait_until(lambda: session.server.commands.xlen(stream) == 0, "the last message", timeout_s=_LEASE_S * 4)
    if fleet.cpu_s() == 0:
        raise RuntimeError("no worker is left")
