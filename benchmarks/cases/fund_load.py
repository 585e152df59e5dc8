"""Case 6: lines through the fund-load pipe, whose decisions have one key and a state: in memory, over tcp, on Redis.

The rate is that of the lines a long input has more than a short one, so that start and stop do not count.
"""

import random
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks.harness.fleet import NEWER, ROOT, program
from benchmarks.harness.machine import Clock, children_cpu_s
from benchmarks.harness.session import Session
from benchmarks.registry import PEERS, Peer

CASE = "6 fund_load"
_LINES = 20_000
_SHORT = 1_000
_CUSTOMERS = 500
_DAYS = 28
_SEED = 6
_TCP = "tcp://127.0.0.1:0"  # a broker in the command itself


def run(session: Session) -> None:
    """Measure."""
    with tempfile.TemporaryDirectory() as directory:
        short, long = Path(directory) / "short", Path(directory) / "long"
        lines = int(_LINES * session.plan.scale) + _SHORT
        for path, count in ((short, _SHORT), (long, lines)):
            path.write_text("".join(_line(number, random.Random(number + _SEED)) for number in range(count)))  # noqa: S311
        variants = {
            "memory": [],
            "tcp, 1 worker a group": ["--bus", _TCP],
            "tcp, 2 workers a group": ["--bus", _TCP, "--workers", "2"],
            "Redis, 1 worker a group": ["--bus", session.server.url],
            "Redis, 2 workers a group": ["--bus", session.server.url, "--workers", "2"],
        }

        def measure(peer: Peer, repeat: int) -> None:
            for variant, options in variants.items():
                metrics, others = _measure(session, short, long, options, lines - _SHORT)
                session.add(CASE, variant, peer.name, repeat, metrics, others)

        session.interleaved(CASE, [PEERS["headrace"]], measure)


def _measure(
    session: Session, short: Path, long: Path, options: list[str], lines: int
) -> tuple[dict[str, float], float]:
    clock = Clock()
    little, short_wall_s, short_cpu_s = _ran(session, short, options)
    much, long_wall_s, long_cpu_s = _ran(session, long, options)
    if little or much:
        raise RuntimeError("it ended with an error")
    metrics = {"rate": lines / (long_wall_s - short_wall_s), "cpu_us": (long_cpu_s - short_cpu_s) / lines * 1e6}
    return metrics, clock.others(short_cpu_s + long_cpu_s)


def _ran(session: Session, path: Path, options: list[str]) -> tuple[int, float, float]:
    """Run; gives the exit code, wall time, and CPU time, that of Redis included."""
    session.server.empty()
    before, cpu_s = time.perf_counter(), children_cpu_s() + session.server.cpu_s()
    command = [program(NEWER, "headrace"), "run", "examples.fund_load:pipe", "--input", str(path)]
    ended = subprocess.run(  # noqa: S603 - our own command
        [*command, "--output", f"{path}.out", *options], cwd=ROOT, stderr=subprocess.DEVNULL, check=False
    )
    return ended.returncode, time.perf_counter() - before, children_cpu_s() + session.server.cpu_s() - cpu_s


def _line(number: int, chance: random.Random) -> str:
    day = f"2000-01-{chance.randrange(_DAYS) + 1:02}T{chance.randrange(24):02}:00:00Z"
    amount = f"${chance.randrange(1, 400_000) / 100:.2f}"
    customer = chance.randrange(_CUSTOMERS)
    return f'{{"id":"{number}","customer_id":"{customer}","load_amount":"{amount}","time":"{day}"}}\n'
