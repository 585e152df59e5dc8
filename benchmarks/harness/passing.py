"""How fast messages that were sent before pass through their workers: by what these count."""

from pathlib import Path

from benchmarks.count import counted
from benchmarks.harness.costs import Costs
from benchmarks.harness.fleet import Fleet
from benchmarks.harness.session import Session, wait_until

_WARM_SHARE = 0.15  # of the messages, before time is taken: imports, connections, first batches


def passing(
    session: Session, fleet: Fleet, counts: Path, messages: int, *, until_empty: str = ""
) -> tuple[dict[str, float], float]:
    """Measure from when the first messages have passed until all have, or the time is over.

    Args:
        until_empty: A stream; all have passed when what was counted is acknowledged there, too.
    """
    first = int(messages * _WARM_SHARE)
    wait_until(lambda: counted(counts) >= first, "the first messages")

    def has_passed() -> bool:
        return counted(counts) >= messages and not (until_empty and session.server.commands.xlen(until_empty))

    first, costs = counted(counts), Costs(fleet, session.server)
    limit_s = session.plan.seconds * 2
    wait_until(lambda: has_passed() or costs.clock.elapsed_s() > limit_s, "the last message")
    passed, wall_s = counted(counts) - first, costs.clock.elapsed_s()
    return {"rate": passed / wall_s, **costs.of(passed), "rss_mb": fleet.rss_mb()}, costs.others()
