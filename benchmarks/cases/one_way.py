"""Case 3: messages that were sent before, through one worker and through two."""

from benchmarks.harness.passing import passing
from benchmarks.harness.session import Session
from benchmarks.registry import PEERS, Peer, chosen

CASE = "3 one-way"
_AMONG = ("headrace", "raw_commit", "raw", "faststream", "taskiq", "saq", "arq", "dramatiq", "celery")


def run(session: Session) -> None:
    """Measure."""
    for processes in (1, 2):

        def measure(peer: Peer, repeat: int, processes: int = processes) -> None:
            _measure(session, peer, repeat, processes)

        session.interleaved(CASE, chosen(session.plan.peers, _AMONG), measure)


def _measure(session: Session, peer: Peer, repeat: int, processes: int) -> None:
    messages = int(peer.sent * session.plan.scale)
    sender = PEERS["headrace"] if peer.name == "raw_commit" else peer
    with session.fleet(peer, BENCH_ROLE="sink") as (fleet, counts):
        session.fill(peer, fleet, "sink", messages, module=sender.module())
        for command in peer.worker("sink", session.server.url, processes=processes):
            fleet.start(command)
        if peer.name == "headrace":
            fleet.start(reply_service(peer, session.server.url), aside=True)
        stream = "{headrace:0}:stream:one_way.sink" if sender.name == "headrace" else ""
        metrics, others = passing(session, fleet, counts, messages, until_empty=stream)
    plural = "s" if processes > 1 else ""
    session.add(CASE, f"{processes} worker{plural}", peer.name, repeat, metrics, others)


def reply_service(peer: Peer, url: str) -> list[str]:
    """Give the command of Headrace's reply service, which every deployment of it has."""
    return [peer.python, "-m", "headrace_reply", "--bus-url", url, "--log-level", "warning"]
