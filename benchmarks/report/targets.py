"""The targets, as ratios of medians of one session."""

from collections.abc import Callable, Iterable, Sequence

from benchmarks.harness.samples import Median
from benchmarks.registry import LIMITS
from msgspec import Struct

_OURS = "headrace"
_ASIDE = (_OURS, "fastapi", *LIMITS)


class Verdict(Struct, frozen=True):
    """A target, and what was measured."""

    what: str
    target: str
    measured: str
    is_met: bool


class _Figures:
    def __init__(self, medians: Sequence[Median]) -> None:
        self.medians = medians

    def ours(self, case: str, variant: str, metric: str, peer: str = _OURS) -> float | None:
        found = [each for each in self.medians if (each.case, each.variant, each.peer) == (case, variant, peer)]
        return found[0].metrics.get(metric) if found else None

    def best(self, case: str, variant: str, metric: str, choose: Callable[[Iterable[float]], float]) -> float | None:
        of_case = [each for each in self.medians if (each.case, each.variant) == (case, variant)]
        values = [each.metrics[metric] for each in of_case if each.peer not in _ASIDE and metric in each.metrics]
        return choose(values) if values else None


_HTTP, _ASK, _ONE_WAY, _HOPS, _FAN, _LOADS = (
    "1 HTTP request/reply",
    "2 request/reply",
    "3 one-way",
    "4 two hops",
    "5 fan-out",
    "6 fund_load",
)
_64 = {_HTTP: "64 connections", _ASK: "64 outstanding"}
_TIMES = ((_ONE_WAY, "1 worker", 10), (_ONE_WAY, "2 workers", 10), (_HOPS, "2 services", 8))
_JOINS = ((_FAN, "10 wide", 10), (_FAN, "1000 wide", 10))


def verdicts(medians: Sequence[Median]) -> list[Verdict]:
    """Judge what was measured; a target whose figures are missing is left out."""
    figures = _Figures(medians)
    found = [*_replies(figures), *_throughput(figures), *_others(figures)]
    return [each for each in found if each is not None]


def _replies(figures: _Figures) -> Iterable[Verdict | None]:
    for case, variant in _64.items():
        rate, p50 = (figures.ours(case, variant, name) for name in ("rate", "p50_ms"))
        yield _at_least(f"{case}: rate over the best peer's", rate, figures.best(case, variant, "rate", max), 4)
        yield _at_most(f"{case}: p50 over the best peer's", p50, figures.best(case, variant, "p50_ms", min), 1 / 3)
        yield _at_least(f"{case}: rate over the raw loop's", rate, figures.ours(case, variant, "rate", "raw"), 0.7)
    one = "1 outstanding"
    best = figures.best(_ASK, one, "p50_ms", min)
    yield _at_most(f"{_ASK}, one at a time: p50 over the best peer's", figures.ours(_ASK, one, "p50_ms"), best, 1)


def _throughput(figures: _Figures) -> Iterable[Verdict | None]:
    for case, variant, times in (*_TIMES, *_JOINS):
        best = figures.best(case, variant, "rate", max)
        yield _at_least(f"{case}, {variant}: over the best peer", figures.ours(case, variant, "rate"), best, times)
    raw = figures.ours(_ONE_WAY, "1 worker", "rate", "raw_commit")
    yield _at_least(
        f"{_ONE_WAY}: over a raw loop with the same commit", figures.ours(_ONE_WAY, "1 worker", "rate"), raw, 0.6
    )


def _others(figures: _Figures) -> Iterable[Verdict | None]:
    memory = figures.ours(_LOADS, "memory", "rate")
    for bus in ("tcp", "Redis"):
        one, two = (figures.ours(_LOADS, f"{bus}, {name} a group", "rate") for name in ("1 worker", "2 workers"))
        yield _at_least(f"{_LOADS}: {bus} with 1 worker over memory", one, memory, 1)
        yield _at_least(f"{_LOADS}: {bus} with 2 workers over memory", two, memory, 1)
    yield _at_most("worker's memory, MB", figures.ours(_ONE_WAY, "1 worker", "rss_mb"), 1, 80)
    yield _at_most(
        "recovery after kill -9 beyond the lease, s", figures.ours("7 guarantees", "kill -9", "recovery_s"), 1, 2
    )


def _at_least(what: str, ours: float | None, theirs: float | None, ratio: float) -> Verdict | None:
    if ours is None or not theirs:
        return None
    return Verdict(what, f">= {ratio:.3g}", f"{ours / theirs:.3g}", ours / theirs >= ratio)


def _at_most(what: str, ours: float | None, theirs: float | None, ratio: float) -> Verdict | None:
    if ours is None or not theirs:
        return None
    return Verdict(what, f"<= {ratio:.3g}", f"{ours / theirs:.3g}", ours / theirs <= ratio)


def table(judged: Sequence[Verdict]) -> str:
    """Write them as Markdown."""
    lines = ["| target | wanted | measured | |", "| --- | ---: | ---: | --- |"]
    lines += [
        f"| {each.what} | {each.target} | {each.measured} | {'met' if each.is_met else 'missed'} |" for each in judged
    ]
    return "\n".join(lines)
