"""What the parts of a service count, as samples of metrics; each may be asked from another thread."""

from collections.abc import Iterator

from headrace.observe.metrics import catalog
from headrace.observe.metrics.catalog import Sample
from headrace.reply.coordinator import ReplyCoordinator
from headrace.runtime.consumer import Consumer

_ANSWERS = ("committed", "fenced", "late", "duplicate")
_HOW = ("read", "claimed", "promoted", "poison")
_FAULTS = ("lease_lost", "crashed", "refused", "hop_slow", "loop_blocked")
_TERMINALS = ("delivered", "without_waiter", "dealt_elsewhere")


def consumer_samples(pipe: str, group: str, consumer: Consumer) -> Iterator[Sample]:
    """Give what a consumer counts; also what is 0 so far, so that a first time is seen as one."""
    counts, labels = consumer.counts.copy(), (pipe, group)
    for metric, names in ((catalog.HOPS, _ANSWERS), (catalog.ENTRIES, _HOW), (catalog.FAULTS, _FAULTS)):
        for name in names:
            yield Sample(metric, (*labels, name), counts[name])
    yield Sample(catalog.EXPIRED, labels, counts["expired"])
    yield Sample(catalog.IN_FLIGHT, labels, consumer.in_flight)
    yield Sample(catalog.SLOTS, labels, consumer.slots)


def coordinator_samples(coordinator: ReplyCoordinator) -> Iterator[Sample]:
    """Give what a reply coordinator counts."""
    counts = coordinator.counts.copy()
    for name in _TERMINALS:
        yield Sample(catalog.TERMINALS, (name,), counts[name])
