"""What was measured: samples, and their medians."""

from collections import defaultdict
from collections.abc import Iterable
from statistics import median

from msgspec import Struct


class Sample(Struct, frozen=True):
    """One measurement of one peer.

    Attributes:
        case: Its number and name.
        variant: Of the case, such as `64 outstanding`.
        metrics: By name; the unit is in the name.
        others: The share of the machine that other processes took meanwhile, 0 to 1.
    """

    case: str
    variant: str
    peer: str
    repeat: int
    metrics: dict[str, float]
    others: float


class Median(Struct, frozen=True):
    """The median of a peer's samples, metric by metric.

    Attributes:
        spread: Of the first metric: (largest - smallest) / median.
        others: The largest share of other processes.
    """

    case: str
    variant: str
    peer: str
    metrics: dict[str, float]
    spread: float
    others: float
    samples: int


def medians(samples: Iterable[Sample]) -> list[Median]:
    """Take the medians, in the order of the samples."""
    grouped: defaultdict[tuple[str, str, str], list[Sample]] = defaultdict(list)
    for sample in samples:
        grouped[sample.case, sample.variant, sample.peer].append(sample)
    return [_median(*key, group) for key, group in grouped.items()]


def _median(case: str, variant: str, peer: str, group: list[Sample]) -> Median:
    metrics = {name: median(each.metrics[name] for each in group if name in each.metrics) for name in group[0].metrics}
    first = [next(iter(each.metrics.values())) for each in group]
    spread = (max(first) - min(first)) / median(first) if median(first) else 0.0
    return Median(case, variant, peer, metrics, spread, max(each.others for each in group), len(group))
