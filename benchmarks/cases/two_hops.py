"""Case 4: messages that were sent before, through two services one after the other."""

import time

from benchmarks.cases.one_way import reply_service
from benchmarks.harness.passing import passing
from benchmarks.harness.session import Session
from benchmarks.registry import Peer, chosen

CASE = "4 two hops"
_AMONG = ("headrace", "raw", "faststream", "taskiq", "saq", "arq", "dramatiq", "celery")
_STARTS_S = 2.0  # for the second service: what waits for it would pass in one burst
_SHARE = 0.5  # of the messages of a one-way case


def run(session: Session) -> None:
    """Measure."""
    session.interleaved(CASE, chosen(session.plan.peers, _AMONG), lambda peer, repeat: _measure(session, peer, repeat))


def _measure(session: Session, peer: Peer, repeat: int) -> None:
    messages = int(peer.sent * session.plan.scale * _SHARE)
    with session.fleet(peer, BENCH_ROLE="first") as (fleet, counts):
        session.fill(peer, fleet, "first", messages)
        for role in ("second", "first"):
            for command in peer.worker(role, session.server.url):
                fleet.start(["env", f"BENCH_ROLE={role}", *command])
            time.sleep(_STARTS_S if role == "second" else 0)
        if peer.name == "headrace":
            fleet.start(reply_service(peer, session.server.url), aside=True)
        metrics, others = passing(session, fleet, counts, messages)
    session.add(CASE, "2 services", peer.name, repeat, metrics, others)
