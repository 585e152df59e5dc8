"""Case 2: a Python client asks and waits, one call at a time and 64 at a time."""

from benchmarks.harness.session import Session
from benchmarks.registry import Peer, chosen

CASE = "2 request/reply"
_AMONG = ("headrace", "raw", "faststream", "taskiq", "saq", "arq", "dramatiq", "celery")


def run(session: Session) -> None:
    """Measure."""
    session.interleaved(CASE, chosen(session.plan.peers, _AMONG), lambda peer, repeat: _measure(session, peer, repeat))


def _measure(session: Session, peer: Peer, repeat: int) -> None:
    with session.fleet(peer, BENCH_ROLE="ask") as (fleet, _):
        for command in peer.worker("ask", session.server.url):
            fleet.start(command)
        for outstanding in (1, 64):
            metrics, others = session.drive(peer, fleet, "ask", outstanding=outstanding, seconds=session.plan.seconds)
            session.add(CASE, f"{outstanding} outstanding", peer.name, repeat, metrics, others)
