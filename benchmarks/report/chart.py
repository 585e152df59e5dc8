"""The rates as a chart: one panel a case and variant, each on a scale of its own that starts at zero.

`python -m benchmarks.report.chart performance.json` puts it beside that.
"""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from benchmarks.harness.samples import Median, Sample, medians
from benchmarks.registry import LIMITS
from matplotlib import pyplot as plt
from msgspec import Struct, json

_COLOURS = {"headrace": "#1f6feb"}
_PEER, _LIMIT = "#8b949e", "#d0d7de"
_COLUMNS = 3
_WHOLE = 100  # from here on without decimals
_MARGIN = 0.2  # for the numbers beside the bars


class _Measured(Struct):
    samples: list[Sample]


def main() -> None:
    """Draw what a file of results has."""
    data = Path(sys.argv[1])
    draw(medians(json.decode(data.read_bytes(), type=_Measured).samples), data.with_suffix(".svg"))


def draw(measured: Sequence[Median], path: Path) -> None:
    """Write the chart as SVG."""
    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "benchmarks"  # the same figures give the same file
    rated = [each for each in measured if "rate" in each.metrics and not each.case.startswith("7")]
    peers = Counter((each.case, each.variant) for each in rated)
    panels = [panel for panel, count in peers.items() if count > 1]
    if not panels:
        return
    rows = -(-len(panels) // _COLUMNS)
    figure, axes = plt.subplots(rows, _COLUMNS, figsize=(12, 2.6 * rows), squeeze=False)
    for axis in axes.flat[len(panels) :]:
        axis.set_axis_off()
    for axis, (case, variant) in zip(axes.flat, panels, strict=False):
        bars = sorted(
            (each.metrics["rate"], each.peer) for each in rated if (each.case, each.variant) == (case, variant)
        )
        names = [name for _, name in bars]
        axis.barh(names, [rate for rate, _ in bars], color=[_colour(name) for name in names])
        for name, (rate, _) in zip(names, bars, strict=True):
            axis.annotate(f" {rate:,.0f}" if rate >= _WHOLE else f" {rate:.1f}", (rate, name), va="center", fontsize=7)
        axis.margins(x=_MARGIN)
        axis.set_title(f"{case}, {variant}", fontsize=9)
        axis.tick_params(labelsize=7)
    figure.supxlabel("per second")
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def _colour(peer: str) -> str:
    return _LIMIT if peer in (*LIMITS, "fastapi") else _COLOURS.get(peer, _PEER)


if __name__ == "__main__":
    main()
