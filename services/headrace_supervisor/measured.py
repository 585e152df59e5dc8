"""What a supervisor counts, as samples of metrics: its children, and the broker that it may be."""

from collections import Counter
from collections.abc import Iterator, Sequence

from headrace.bus.tcp.broker import Broker
from headrace.bus.tcp.refusals import Refusal
from headrace.observe.metrics import catalog
from headrace.observe.metrics.catalog import Sample
from headrace_supervisor.place import Place


def place_samples(places: Sequence[Place]) -> Iterator[Sample]:
    """Give how children are, those of one name together."""
    restarts, states = Counter[str](), Counter[tuple[str, str]]()
    for place in places:
        restarts[place.spec.name] += place.restarts
        states[place.spec.name, place.state] += 1
    for name, count in restarts.items():
        yield Sample(catalog.RESTARTS, (name,), count)
    for labels, count in states.items():
        yield Sample(catalog.CHILDREN, labels, count)


def broker_samples(broker: Broker) -> Iterator[Sample]:
    """Give what a broker refused, by every reason there is, and its connections."""
    refused = broker.refused.copy()
    for reason in Refusal:
        yield Sample(catalog.BROKER_REFUSED, (reason,), refused[reason])
    yield Sample(catalog.BROKER_CONNECTIONS, (), broker.connections)
