"""Case 1: requests over HTTP through one worker, 64 connections; beside FastAPI that answers by itself.

Every peer but Headrace stands behind the same FastAPI application; Headrace has its own gateway, which is one too.
"""

import urllib.error
import urllib.request

from benchmarks.harness.costs import Costs
from benchmarks.harness.fleet import NEWER, Fleet, program
from benchmarks.harness.session import Session, wait_until
from benchmarks.harness.wrk import wrk
from benchmarks.message import ORDER
from benchmarks.registry import Peer, chosen
from msgspec import json

CASE = "1 HTTP request/reply"
_AMONG = ("headrace", "raw", "faststream", "taskiq", "saq", "arq", "dramatiq", "celery")
_BARE = Peer("fastapi", NEWER, 0)
_CONNECTIONS = 64
_PORT = 7455
_BODY = json.encode(ORDER)
_WARM_S = 1.0


def run(session: Session) -> None:
    """Measure."""
    peers = chosen(session.plan.peers, _AMONG)
    session.interleaved(CASE, [*peers, _BARE], lambda peer, repeat: _measure(session, peer, repeat))


def _measure(session: Session, peer: Peer, repeat: int) -> None:
    name = "" if peer is _BARE else peer.name
    with session.fleet(peer, BENCH_ROLE="ask", BENCH_PEER=name) as (fleet, _):
        for command in peer.worker("ask", session.server.url) if name else []:
            fleet.start(command)
        fleet.start(_gateway(peer, session.server.url), aside=True)
        url = f"http://127.0.0.1:{_PORT}/" + ("v1/pipes/asked" if peer.name == "headrace" else "")
        wait_until(lambda: _answers(url), "the first answer", timeout_s=20.0)
        wrk(url, _BODY, connections=_CONNECTIONS, seconds=_WARM_S)
        metrics, others = _load(session, fleet, url)
    session.add(CASE, f"{_CONNECTIONS} connections", peer.name, repeat, metrics, others)


def _load(session: Session, fleet: Fleet, url: str) -> tuple[dict[str, float], float]:
    costs = Costs(fleet, session.server)
    metrics = wrk(url, _BODY, connections=_CONNECTIONS, seconds=session.plan.seconds)
    calls = metrics.pop("calls")
    metrics |= costs.of(calls)
    return metrics, costs.others(metrics["client_cpu_us"] * calls / 1e6)


def _gateway(peer: Peer, url: str) -> list[str]:
    if peer.name == "headrace":
        options = ["--with-reply", "--bus-url", url, "--port", str(_PORT), "--log-level", "warning"]
        return [peer.python, "-m", "headrace_gateway", f"{peer.module()}:asked", *options]
    options = ["--port", str(_PORT), "--loop", "uvloop", "--http", "httptools", "--no-access-log"]
    return [program(peer.venv, "uvicorn"), "benchmarks.web:app", "--log-level", "warning", *options]


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, _BODY), timeout=10) as answer:  # noqa: S310 - our own
            return bool(answer.status == 200)  # noqa: PLR2004 - OK
    except (urllib.error.URLError, OSError):
        return False
