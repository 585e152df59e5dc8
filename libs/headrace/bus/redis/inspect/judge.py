"""Judges what one look saw: conservation (I7) and leaks. Pure; a finding holds for that look only, see `census`."""

from collections.abc import Iterator

from headrace.bus.redis.inspect.findings import Finding, Kind
from headrace.bus.redis.inspect.names import Inventory
from headrace.bus.redis.inspect.seen import Found, Group, Lane, Queue, Record, Seen
from headrace.bus.redis.keys import Keys
from headrace.wire.trace import partition_of

SILENT_MS = 60_000  # a live worker says something several times a second
_NO_WORK = Found()


class Judge:
    """Judges one look.

    Args:
        inventory: The keys that were there.
        silent_ms: Milliseconds after which one that says nothing is taken for gone.
    """

    def __init__(self, seen: Seen, inventory: Inventory, silent_ms: int = SILENT_MS) -> None:
        self._seen = seen
        self._inventory = inventory
        self._silent_ms = silent_ms
        self._unused = {
            (partition_of(trace), lane, ticket): trace
            for trace, record in seen.records.items()
            for lane, ticket in record.tickets.items()
        }

    def findings(self) -> Iterator[Finding]:
        """Give all that is wrong."""
        for trace, record in self._seen.records.items():
            yield from self._run(trace, record)
        for trace, found in self._seen.found.items():
            if trace not in self._seen.records:
                yield from _of_unknown(trace, found)
        yield from self._lists()
        for lane, queue in self._seen.lanes.items():
            yield from self._lane(lane, queue)
        for group in self._seen.groups:
            yield from self._group(group)
        for key, count in self._seen.unreadable.items():
            yield Finding(Kind.UNREADABLE_SCHEDULED, key, numbers=(("members", count),))
        for key, due_ms in self._seen.overdue.items():
            if self._seen.now_ms - due_ms >= self._silent_ms:
                yield Finding(Kind.NOBODY_PROMOTES, key)

    def _run(self, trace: str, record: Record) -> Iterator[Finding]:
        found = self._seen.found.get(trace, _NO_WORK)
        key = self._keys(partition_of(trace)).run(trace)[0]
        at_rest = record.waiting + record.suspended
        if (record.in_flight, record.waiting, record.suspended) != (found.total, found.joins, found.suspended):
            kind = Kind.CONSERVATION if record.keeps_joins else Kind.ENDED_MISCOUNT
            yield Finding(kind, key, trace, numbers=_numbers(record, found))
        elif record.state == "open" and record.in_flight <= at_rest and not record.suspended:
            yield Finding(Kind.STUCK, key, trace, numbers=_numbers(record, found))

    def _lists(self) -> Iterator[Finding]:
        seen = self._seen
        for kind, kept in ((Kind.JOINS_LEFT, seen.joins), (Kind.EVENTS_LEFT, seen.events)):
            for trace, key in kept.items():
                record = seen.records.get(trace)
                if record is None or not record.keeps_joins:
                    yield Finding(kind, key, trace)
        for key, trace in seen.spills.items():
            yield Finding(Kind.SPILL_LEFT, key, trace)
        for trace, key in seen.abandoned.items():
            record = seen.records.get(trace)
            if (record is None or record.in_flight <= 0) and not seen.found.get(trace, _NO_WORK).total:
                yield Finding(Kind.ABANDONED_LEFT, key, trace)
        for trace, key in seen.waiters.items():
            record = seen.records.get(trace)
            if record is None:
                yield Finding(Kind.WAITER_OF_UNKNOWN_RUN, key, trace)
            elif record.state != "open" and trace not in seen.told:
                yield Finding(Kind.WAITER_NOT_TOLD, key, trace)

    def _lane(self, lane: Lane, queue: Queue) -> Iterator[Finding]:
        partition, name = lane
        key, tickets, _ = self._keys(partition).lane(name, "")
        for ticket in queue.tickets - queue.parked:
            run = self._unused.get((partition, name, ticket), "")
            if run and self._seen.records[run].keeps_joins:
                continue
            if run:
                yield Finding(Kind.TICKET_OF_ENDED_RUN, tickets, run, ticket)
            elif (partition, name, ticket) not in self._seen.out:
                yield Finding(Kind.TICKET_OF_NOBODY, tickets, subject=ticket)
        for ticket in queue.parked - queue.tickets:
            yield Finding(Kind.PARKED_WITHOUT_TICKET, key, subject=ticket)
        if queue.head in queue.parked and queue.head in queue.tickets:
            yield Finding(Kind.LANE_STANDS_STILL, key, subject=queue.head)

    def _group(self, group: Group) -> Iterator[Finding]:
        held = sum(pending for _, pending, _ in group.consumers)
        is_read = any(idle < self._silent_ms for _, _, idle in group.consumers)
        for name, pending, idle in group.consumers:
            if pending and idle >= self._silent_ms:
                yield Finding(Kind.SILENT_CONSUMER, group.stream, subject=name, numbers=(("held", pending),))
        waiting_ms = self._seen.now_ms - group.first_ms
        is_expected = group.name not in self._seen.paused
        if is_expected and group.entries > held and not is_read and waiting_ms >= self._silent_ms:
            yield Finding(Kind.NOBODY_READS, group.stream, numbers=(("entries", group.entries),))

    def _keys(self, partition: int) -> Keys:
        return self._inventory.partitions.get(partition) or Keys(self._inventory.namespace, partition)


def _of_unknown(trace: str, found: Found) -> Iterator[Finding]:
    if found.streams:
        yield Finding(Kind.UNKNOWN_RUN_IN_STREAM, found.stream, trace, numbers=(("items", found.streams),))
    if found.scheduled:
        yield Finding(Kind.UNKNOWN_RUN_SCHEDULED, found.schedule, trace, numbers=(("items", found.scheduled),))


def _numbers(record: Record, found: Found) -> tuple[tuple[str, int], ...]:
    return (
        ("in_flight", record.in_flight),
        ("found", found.total),
        ("streams", found.streams),
        ("scheduled", found.scheduled),
        ("spilled", found.spilled),
        ("lanes", found.lanes),
        ("joins", found.joins),
        ("suspended", found.suspended),
        ("waiting_by_record", record.waiting),
        ("suspended_by_record", record.suspended),
    )
