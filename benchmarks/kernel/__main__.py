"""`python -m benchmarks.kernel`: CPU time a node of the in-process engine, beside justpipe and bare asyncio.

All contestants take turns, round after round, in one process and one event loop. The least of the rounds counts: what
others do on the machine can only add to it.
"""

import argparse
import asyncio
import gc
import time
from importlib.metadata import version

from benchmarks.harness.machine import machine
from benchmarks.kernel import floor, ours, theirs
from benchmarks.kernel.case import CASES, Case, Cases

_ALLOWED = 0.2  # of justpipe's cost
_US = 1e6


async def _measure(case: Case, contestants: dict[str, Cases], share: float) -> dict[str, float]:
    """Give the CPU time of each contestant, in microseconds a node."""
    least = dict.fromkeys(contestants, float("inf"))
    for _ in range(max(2, int(case.rounds * share))):
        for name, cases in contestants.items():
            gc.collect()
            await _run(name, cases, case)  # what the collection has dropped is made again
            began_s = time.process_time()
            for _ in range(case.runs):
                await _run(name, cases, case)
            took_s = time.process_time() - began_s
            least[name] = min(least[name], took_s / case.per / case.runs * _US)
    return least


async def _run(name: str, cases: Cases, case: Case) -> None:
    answer = await cases[case.name]()
    if answer != case.answer:
        raise AssertionError(f"{name} came to {answer} in '{case.name}', not to {case.answer}")


def _row(case: Case, least: dict[str, float]) -> str:
    run, events = (least[name] / least["justpipe"] for name in ("run", "events"))
    verdict = ", ".join(
        f"{name} {'holds' if part <= _ALLOWED else 'misses'}" for name, part in _judged(case, run, events)
    )
    figures = " | ".join(f"{least[name]:.2f}" for name in ("floor", "run", "events", "justpipe"))
    return f"| {case.name} | {figures} | {run:.0%} | {events:.0%} | {verdict} |"


def _judged(case: Case, run: float, events: float) -> tuple[tuple[str, float], ...]:
    """Without events there are no tokens."""
    return (("events", events),) if "tokens" in case.name else (("run", run), ("events", events))


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kernel", description=__doc__)
    parser.add_argument("--case", action="append", choices=[case.name for case in CASES], help="only this one")
    parser.add_argument("--share", type=float, default=1.0, help="of the rounds")
    given = parser.parse_args()
    contestants: dict[str, Cases] = {
        "floor": floor.cases(),
        "run": ours.cases(with_events=False),
        "events": ours.cases(with_events=True),
        "justpipe": theirs.cases(),
    }
    found = machine()
    print(f"{found.processor}, Python {found.python}, justpipe {version('justpipe')}; CPU time in µs a node or token\n")
    print("| case | floor | `run` | `events` | justpipe | run / justpipe | events / justpipe | a fifth |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |")
    for case in CASES:
        if not given.case or case.name in given.case:
            print(_row(case, asyncio.run(_measure(case, contestants, given.share))), flush=True)


if __name__ == "__main__":
    main()
