"""Case 5: a fan-out and the join of its results, 10 wide and 1,000 wide; two worker processes each."""

from benchmarks.harness.session import Session
from benchmarks.registry import Peer, chosen

CASE = "5 fan-out"
_AMONG = ("headrace", "taskiq", "saq", "arq", "dramatiq", "celery")
_OUTSTANDING = {10: 16, 1000: 2}  # runs at a time


def run(session: Session) -> None:
    """Measure."""
    session.interleaved(CASE, chosen(session.plan.peers, _AMONG), lambda peer, repeat: _measure(session, peer, repeat))


def _measure(session: Session, peer: Peer, repeat: int) -> None:
    with session.fleet(peer, BENCH_ROLE="fan") as (fleet, _):
        for command in peer.worker("fan", session.server.url, processes=2):
            fleet.start(command)
        for width, outstanding in _OUTSTANDING.items():
            metrics, others = session.drive(
                peer, fleet, "fan_out", width=width, outstanding=outstanding, seconds=session.plan.seconds
            )
            session.add(CASE, f"{width} wide", peer.name, repeat, metrics, others)
