"""Figures as Markdown."""

from collections.abc import Iterable, Sequence

from benchmarks.harness.machine import Machine
from benchmarks.harness.samples import Median

_BEGIN, _END = "<!-- measured: figures -->", "<!-- end -->"
_BUSY = 0.05  # share of others from which a figure is marked


def figures(medians: Sequence[Median], machine: Machine, notes: Iterable[str]) -> str:
    """Write everything that was measured."""
    samples = max((each.samples for each in medians), default=0)
    parts = [f"{_about(machine)} Samples of each: {samples}.", *notes]
    for case in dict.fromkeys(each.case for each in medians):
        of_case = [each for each in medians if each.case == case]
        parts.append(f"### {case}\n\n{_table(of_case)}")
    return "\n\n".join(parts)


def put(page: str, text: str) -> str:
    """Put the figures in their place on the page."""
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n\n{text}\n\n{_END}{after}"


def _about(machine: Machine) -> str:
    load = ", ".join(f"{each:.1f}" for each in machine.load)
    return f"{machine.processor}, {machine.cores} cores, Python {machine.python}; load before: {load}."


def _table(medians: list[Median]) -> str:
    names = list(dict.fromkeys(name for each in medians for name in each.metrics))
    header = ["variant", "peer", *names, "spread", "others"]
    rows = [header, ["---"] * 2 + ["---:"] * (len(header) - 2)]
    rows += [_row(each, names) for each in sorted(medians, key=lambda one: one.variant)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _row(median: Median, names: list[str]) -> list[str]:
    values = [_number(median.metrics[name]) if name in median.metrics else "" for name in names]
    busy = " !" if median.others > _BUSY else ""
    return [median.variant, median.peer, *values, _spread(median), f"{median.others:.0%}{busy}"]


def _spread(median: Median) -> str:
    return f"{median.spread:.0%}" if median.samples > 1 else ""


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004 - three digits will do
