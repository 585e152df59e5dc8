"""The peers: in which environment each runs, and the commands of its workers."""

from collections.abc import Sequence

from benchmarks.harness.fleet import NEWER, program
from msgspec import Struct

OLDER = "older"  # ARQ and SAQ want an older client library than the others
LIMITS = ("raw", "raw_commit")


class Peer(Struct, frozen=True):
    """What is measured beside others.

    Attributes:
        sent: Messages that a one-way case has it work through.
        environment: Of its workers, added to the harness's.
    """

    name: str
    venv: str
    sent: int
    environment: dict[str, str] = {}

    @property
    def python(self) -> str:
        """Its interpreter."""
        return program(self.venv, "python")

    @property
    def is_framework(self) -> bool:
        """Whether it is measured rather than a limit."""
        return self.name not in LIMITS

    def module(self) -> str:
        """Where it is written."""
        return f"benchmarks.peers.{self.name}"

    def worker(self, role: str, url: str, *, processes: int = 1) -> list[list[str]]:
        """Give the commands that start its workers for a role."""
        return _WORKERS[self.name](self, role, url, processes)


def _bin(peer: Peer, name: str) -> str:
    return program(peer.venv, name)


def _headrace(peer: Peer, role: str, url: str, processes: int) -> list[list[str]]:
    pipe = {"sink": "one_way", "ask": "asked", "first": "two_hops", "second": "two_hops"}.get(role, "fan")
    app = ("--app", f"{peer.module()}:{pipe}")
    groups = ["fan", "pieces"] if role == "fan" else [role] * processes
    log = ("--log-level", "warning")
    return [[peer.python, "-m", "headrace_worker", *app, "--group", group, "--bus-url", url, *log] for group in groups]


def _raw(peer: Peer, role: str, _url: str, processes: int) -> list[list[str]]:
    return [[peer.python, "-m", peer.module(), role]] * processes


def _faststream(peer: Peer, _role: str, _url: str, processes: int) -> list[list[str]]:
    return [[_bin(peer, "faststream"), "run", f"{peer.module()}:app"]] * processes


def _taskiq(peer: Peer, role: str, _url: str, processes: int) -> list[list[str]]:
    options = ("--workers", str(processes), "--max-async-tasks", "100", "--max-prefetch", "100", "--log-level", "ERROR")
    return [[_bin(peer, "taskiq"), "worker", f"{peer.module()}:{role}s", *options]]


def _saq(peer: Peer, role: str, _url: str, processes: int) -> list[list[str]]:
    return [[_bin(peer, "saq"), f"{peer.module()}.{role}_settings", "--workers", str(processes), "--quiet"]]


def _arq(peer: Peer, role: str, _url: str, processes: int) -> list[list[str]]:
    return [
        [_bin(peer, "arq"), f"{peer.module()}.{role.capitalize()}", "--custom-log-dict", f"{peer.module()}.QUIET"]
    ] * processes


def _dramatiq(peer: Peer, role: str, _url: str, processes: int) -> list[list[str]]:
    return [[_bin(peer, "dramatiq"), peer.module(), "-p", str(processes), "-t", "8", "-Q", role, "--skip-logging"]]


def _celery(peer: Peer, role: str, _url: str, processes: int) -> list[list[str]]:
    options = ["--without-gossip", "--without-mingle", "--without-heartbeat", "-Q", role, "-l", "ERROR"]
    command = [_bin(peer, "celery"), "-A", f"{peer.module()}:app", "worker", *options]
    return [[*command, "-P", "solo", "-n", f"{role}-{number}@%h"] for number in range(processes)]


_WORKERS = {
    "headrace": _headrace,
    "raw": _raw,
    "raw_commit": _raw,
    "faststream": _faststream,
    "taskiq": _taskiq,
    "saq": _saq,
    "arq": _arq,
    "dramatiq": _dramatiq,
    "celery": _celery,
}
PEERS = {
    peer.name: peer
    for peer in (
        Peer("headrace", NEWER, 40_000),
        Peer("raw", NEWER, 120_000),
        Peer("raw_commit", NEWER, 60_000),
        Peer("faststream", NEWER, 12_000),
        Peer("taskiq", NEWER, 8_000),
        Peer("saq", OLDER, 8_000),
        Peer("arq", OLDER, 6_000),
        Peer("dramatiq", NEWER, 6_000, {"dramatiq_queue_prefetch": "256"}),
        Peer("celery", NEWER, 6_000),
    )
}


def chosen(names: Sequence[str], among: Sequence[str]) -> list[Peer]:
    """Choose the peers of a case: those that it has, of the names given; all where none is."""
    return [PEERS[name] for name in among if not names or name in names]
