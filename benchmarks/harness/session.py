"""A session: a Redis of its own, and cases that are run interleaved with their peers."""

import json
import tempfile
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path

from benchmarks.count import DIRECTORY
from benchmarks.harness.costs import Costs
from benchmarks.harness.fleet import Fleet
from benchmarks.harness.redis_server import Server
from benchmarks.harness.samples import Sample
from benchmarks.registry import Peer
from msgspec import Struct


class Plan(Struct, frozen=True):
    """How much is measured.

    Attributes:
        repeats: Samples of each.
        seconds: Of one measurement.
        scale: Of the numbers of messages.
        peers: Names of those to measure; all where it is empty.
    """

    repeats: int
    seconds: float
    scale: float
    peers: tuple[str, ...]


class Session:
    """What cases need.

    Attributes:
        samples: All that was measured so far.
        failures: What could not be measured, and why.
    """

    def __init__(self, server: Server, plan: Plan, log: Path) -> None:
        self.server = server
        self.plan = plan
        self.samples: list[Sample] = []
        self.failures: list[str] = []
        self._log = log

    def interleaved(self, case: str, peers: Iterable[Peer], measure: Callable[[Peer, int], None]) -> None:
        """Measure every peer once, then every peer again, as often as the plan says; one that fails spoils no other."""
        chosen = list(peers)
        for repeat in range(self.plan.repeats):
            for peer in chosen:
                try:
                    measure(peer, repeat)
                except Exception as error:  # noqa: BLE001 - a peer's own fault; told in the report
                    self.failures.append(f"{case}: {peer.name}: {type(error).__name__}: {error}")
                    print(f"  {case} {peer.name}: FAILED {error}", flush=True)

    def add(self, case: str, variant: str, peer: str, repeat: int, metrics: dict[str, float], others: float) -> None:
        """Keep a sample, and print it."""
        rounded = {name: float(f"{value:.4g}") for name, value in metrics.items()}
        self.samples.append(Sample(case, variant, peer, repeat, rounded, others))
        shown = "  ".join(f"{name} {value:g}" for name, value in rounded.items())
        print(f"  {case} [{variant}] {peer}: {shown}  others {others:.0%}", flush=True)

    @contextmanager
    def fleet(self, peer: Peer | None = None, **environment: str) -> Generator[tuple[Fleet, Path]]:
        """Give room for a case's processes on an empty server, and the directory in which they count."""
        self.server.empty()
        with tempfile.TemporaryDirectory() as counts:
            own = {**(peer.environment if peer else {}), **environment}
            own |= {DIRECTORY: counts, "BENCH_REDIS_URL": self.server.url}
            with Fleet(own, self._log) as fleet:
                yield fleet, Path(counts)

    def fill(self, peer: Peer, fleet: Fleet, role: str, messages: int, *, module: str = "") -> None:
        """Have a peer send messages before its workers start."""
        command = [peer.python, "-m", "benchmarks.drive", module or peer.module(), "fill"]
        process = fleet.talk([*command, "--role", role, "--messages", str(messages)])
        if process.wait() != 0:
            raise RuntimeError("its messages could not be sent; see the log")

    def drive(self, peer: Peer, fleet: Fleet, verb: str, **options: float) -> tuple[dict[str, float], float]:
        """Have a peer's client measure; gives its metrics, with the CPU time of workers and server, and the noise."""
        flags = [part for name, value in options.items() for part in (f"--{name}", str(value))]
        process = fleet.talk([peer.python, "-m", "benchmarks.drive", peer.module(), verb, *flags])
        if process.stdout is None or process.stdout.readline() != "begin\n":
            process.kill()
            raise RuntimeError("its client got no answer; see the log")
        costs = Costs(fleet, self.server)
        metrics: dict[str, float] = json.loads(process.stdout.readline())
        calls = metrics.pop("calls")
        metrics |= costs.of(calls)
        others = costs.others(metrics["client_cpu_us"] * calls / 1e6)
        process.wait()
        return metrics, others


def wait_until(is_so: Callable[[], bool], what: str, *, timeout_s: float = 60.0) -> None:
    """Wait for something.

    Raises:
        TimeoutError: It did not come.
    """
    give_up_s = time.monotonic() + timeout_s
    while not is_so():
        if time.monotonic() > give_up_s:
            raise TimeoutError(f"waited {timeout_s:g} s for {what}")
        time.sleep(0.004)
