"""What a census means for what Headrace promises, as lines of a doctor's report. Pure."""

from collections.abc import Iterator, Sequence

from headrace.bus.redis.inspect.census import Census
from headrace.bus.redis.inspect.checks import Check
from headrace.bus.redis.inspect.findings import Finding, Kind, Verdict

_OF_CONSERVATION = frozenset({Kind.CONSERVATION, Kind.STUCK, Kind.ENDED_MISCOUNT})
_OF_WORKERS = frozenset({Kind.SILENT_CONSUMER, Kind.NOBODY_READS, Kind.NOBODY_PROMOTES})


def census_checks(census: Census) -> Iterator[Check]:
    """Give the lines of a census: conservation, leaks, and whether somebody works."""
    lost = [finding for finding in census.findings if finding.kind in _OF_CONSERVATION]
    idle = [finding for finding in census.findings if finding.kind in _OF_WORKERS]
    leaks = [finding for finding in census.findings if finding.kind not in _OF_CONSERVATION | _OF_WORKERS]
    live = f"{census.live:,} live of {census.runs:,} runs, {census.work:,} pieces of work"
    yield _check("conservation", lost, live, "every run ends: none of its work is lost or done twice (I7)")
    yield _check("leaks", leaks, "no key is left over, no lane stands still", "memory does not grow, no lane stops")
    yield _check("workers", idle, "nothing waits that nobody takes", "what waits is done")


def by_kind(findings: Sequence[Finding]) -> dict[Kind, list[Finding]]:
    """Group findings, in the order of the kinds."""
    return {kind: own for kind in Kind if (own := [finding for finding in findings if finding.kind is kind])}


def _check(name: str, findings: Sequence[Finding], otherwise: str, guarantee: str) -> Check:
    if not findings:
        return Check(name, Verdict.OK, otherwise, guarantee)
    is_bad = any(finding.verdict is Verdict.FAIL for finding in findings)
    found = f"{len(findings):,} found, see the findings"
    return Check(name, Verdict.FAIL if is_bad else Verdict.WARN, found, guarantee)
