"""What a gather collected: fetched page by page, in order of emission whatever the order of arrival."""

from collections.abc import Sequence

from msgspec import structs

from headrace.kernel.store import RunStore
from headrace.ledger.values import Item
from headrace.wire.envelope import Envelope, Framing, trace_of

_FIRST_PAGE = 32  # most fan-outs are narrow
_PAGE = 512  # frames at a time: the event loop and the bus have a turn in between


async def fetch(store: RunStore, framing: Framing, item: Item) -> list[Envelope]:
    """Fetch what an item's stash holds, in order of arrival.

    Raises:
        EnvelopeError: A frame is none of ours.
    """
    envelopes: list[Envelope] = []
    limit = _FIRST_PAGE
    while True:
        page = await store.stashed(run_of(item), item.stash, offset=len(envelopes), limit=limit)
        envelopes.extend(map(framing.open, page))
        if len(page) < limit:
            return envelopes
        limit = _PAGE


def run_of(item: Item) -> str:
    """Read the run that an item's frames name in clear, verified by nothing; "" where none names one."""
    return next((trace_id for frame in item.frames if (trace_id := trace_of(frame))), "")


def by_emission(envelope: Envelope) -> tuple[tuple[int, ...], str]:
    """Give the sorting key of a gather; one output that two nodes took is in some order that is always the same."""
    return envelope.lineage, envelope.id


def with_visits(opening: Envelope, gathered: Sequence[Envelope]) -> Envelope:
    """Give a gather's headers with the most visits of any branch, so that a loop around it stays bounded."""
    visits = dict(opening.visits)
    for envelope in gathered:
        for node, count in envelope.visits.items():
            visits[node] = max(visits.get(node, 0), count)
    return structs.replace(opening, visits=visits) if visits != opening.visits else opening
