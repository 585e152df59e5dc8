"""`python -m benchmarks`: run the cases, keep what they measured as JSON, and put figures and a chart into `docs/`."""

import argparse
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.cases import fan_out, fund_load, guarantees, http, one_way, request_reply, two_hops
from benchmarks.harness.fleet import ROOT
from benchmarks.harness.machine import Machine, machine
from benchmarks.harness.redis_server import redis_server
from benchmarks.harness.samples import Sample, medians
from benchmarks.harness.session import Plan, Session
from benchmarks.report import tables, targets
from msgspec import Struct, json

CASES: dict[int, Callable[[Session], None]] = {
    1: http.run,
    2: request_reply.run,
    3: one_way.run,
    4: two_hops.run,
    5: fan_out.run,
    6: fund_load.run,
    7: guarantees.run,
}
_PORT = 7450
_DOCS = ROOT / "docs"
_KEPT = ROOT / "benchmarks" / ".venv"  # logs, and what is not for the docs


class Results(Struct, frozen=True):
    """All of a session."""

    machine: Machine
    redis: str
    persistence: str
    plan: Plan
    samples: list[Sample]
    failures: list[str]


def main() -> None:
    """Run."""
    given = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is stopped
    plan = Plan(given.repeats, given.seconds, given.scale, tuple(given.peer))
    if given.quick:
        plan = Plan(1, 1.0, 0.25, plan.peers)
    into = _DOCS if given.publish else given.into
    given.into.mkdir(parents=True, exist_ok=True)
    log = given.into / "bench.log"
    log.write_text("")
    found = machine()
    with (
        tempfile.TemporaryDirectory() as directory,
        redis_server(given.port, given.persistence, Path(directory)) as server,
    ):
        session = Session(server, plan, log)
        for number in given.case or CASES:
            CASES[number](session)
        results = Results(found, server.version, given.persistence, plan, session.samples, session.failures)
    _write(results, into)


def _write(results: Results, into: Path) -> None:
    suffix = "" if results.persistence == "off" else f"-{results.persistence}"
    middles = medians(results.samples)
    judged = targets.table(targets.verdicts(middles))
    data = into / f"performance{suffix}.json"
    data.write_bytes(json.format(json.encode(results), indent=1))
    if into == _DOCS:  # by itself: what draws is large, and only a whole run needs it
        subprocess.run([sys.executable, "-m", "benchmarks.report.chart", str(data)], cwd=ROOT, check=True)  # noqa: S603
    text = tables.figures(middles, results.machine, [*results.failures, judged])
    page = _DOCS / "performance.md"
    if suffix:
        (into / f"performance{suffix}.md").write_text(f"# Performance with the append-only file\n\n{text}\n")
    elif into == _DOCS:
        page.write_text(tables.put(page.read_text(), text))
    print(f"\n{text}\n\nwritten to {into}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    only: dict[str, Any] = {"action": "append", "help": "only this one; may be repeated"}
    parser.add_argument("--case", type=int, choices=sorted(CASES), **only)
    parser.add_argument("--peer", default=[], **only)
    parser.add_argument("--quick", action="store_true", help="one short sample of each: whether it works, not how fast")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.5, help="of one measurement")
    parser.add_argument("--scale", type=float, default=1.0, help="of the numbers of messages")
    parser.add_argument(
        "--persistence", choices=("off", "aof"), default="off", help="aof: appended, fsync every second"
    )
    parser.add_argument("--port", type=int, default=_PORT, help="of the Redis that is started")
    parser.add_argument("--into", type=Path, default=_KEPT, help="where results and logs go")
    parser.add_argument("--publish", action="store_true", help="write into docs/; for a whole run on an idle machine")
    return parser.parse_args()


if __name__ == "__main__":
    main()
