"""The KEYS and ARGV of one script call, in the order that the scripts' headers give. Pure."""

from collections.abc import Sequence

import msgspec
from msgspec import Raw, Struct, structs

from headrace.bus.redis.keys import Keys
from headrace.bus.redis.scripts import Value
from headrace.ledger.joins import net_feeds
from headrace.ledger.terminal import starved, timed_out
from headrace.ledger.told import Told
from headrace.ledger.values import (
    Alarm,
    Arrive,
    Commit,
    Emit,
    Enqueue,
    Feed,
    Item,
    Join,
    Open,
    Output,
    Park,
    Schedule,
    Settled,
    Submission,
)

Tickets = tuple[tuple[str, str], ...]


class Spill(Struct, frozen=True, tag=True):
    """Outputs of a hop that one call cannot hold: kept in a list of their own, and recorded in parts.

    Attributes:
        key: The list.
        count: How many there are.
        feeds: What they may lead to, those that reach joins to the joins too.
    """

    key: str
    count: int
    feeds: tuple[Feed, ...] = ()


class Due(Struct, frozen=True, array_like=True):
    """A member of the sorted set of scheduled items."""

    trace_id: str
    what: Schedule | Alarm | Spill


class Limits(Struct, frozen=True):
    """What every script that changes runs is told.

    Attributes:
        retention_ms: Milliseconds that the record of an ended run is kept.
        lane_batch: The most items that a lane hands out at once.
        kept_events: The most events of a run that are kept.
    """

    retention_ms: int
    lane_batch: int
    kept_events: int


class Holds(Struct, frozen=True):
    """What a run holds beside its work, needed by whatever may end it.

    Attributes:
        tickets: Lanes in which it took a ticket at ingress, each with the group it feeds.
        keeps_events: Whether it keeps its events.
    """

    tickets: Tickets = ()
    keeps_events: bool = False


_encode = msgspec.msgpack.Encoder().encode
decode_due = msgspec.msgpack.Decoder(Due).decode
decode_tickets = msgspec.msgpack.Decoder(Tickets).decode


_NOTHING = (0, 0, 0)  # what `work` adds of no joins, no changes of feeders, no outputs
_SHORT = 0xFFFF  # bytes, of what msgpack calls str 16


def encode_due(due: Due) -> bytes:
    """Encode a member of the sorted set of scheduled items."""
    return _encode(due)


def raw(value: bytes) -> Raw:
    """Have bytes packed as a string, the one kind that the server's unpacker knows."""
    length = len(value)
    if length <= _SHORT:
        return Raw(b"\xda" + length.to_bytes(2, "big") + value)
    return Raw(b"\xdb" + length.to_bytes(4, "big") + value)


class Call:
    """The KEYS and arguments of one script call; a key named twice stands in KEYS once.

    Args:
        keys: Spells the keys of the partition.
        first: The keys that the script's header numbers.
    """

    def __init__(self, keys: Keys, *first: str) -> None:
        self.keys: list[str] = list(first)
        self._args: list[Value | Raw] = []
        self._spell = keys
        self._numbers: dict[tuple[str, ...], int] = {}
        self._runs: dict[str, int] = {}

    @property
    def argv(self) -> list[Value]:
        """The arguments as the script takes them."""
        return [_encode(self._args)]

    def number(self, *keys: str) -> int:
        """Give the number of the first of some keys that stand side by side in KEYS."""
        number = self._numbers.get(keys)
        if number is None:
            number = self._numbers[keys] = len(self.keys) + 1
            self.keys.extend(keys)
        return number

    def add(self, *values: Value | Raw) -> None:
        """Add arguments; bytes go through `raw`."""
        self._args.extend(values)

    def run(self, trace_id: str) -> int:
        """Give the number of a run's keys; 0 for no run."""
        number = self._runs.get(trace_id)
        if number is None:
            number = self._runs[trace_id] = self.number(*self._spell.run(trace_id)) if trace_id else 0
        return number

    def lane(self, lane: str, group: str) -> None:
        """Add a lane, which the empty name says is none."""
        self.add(self.number(*self._spell.lane(lane, group)) if lane else 0, lane)

    def holds(self, trace_id: str, tickets: Tickets, *, keeps_events: bool) -> None:
        """Add what a run holds, as `Holds` has it."""
        self.add(self.number(self._spell.events(trace_id)) if keeps_events else 0, len(tickets))
        for lane, group in tickets:
            self.lane(lane, group)

    def told(self, told: Sequence[Told]) -> None:
        """Add events that calls of one run tell."""
        self.add(len(told))
        for one in told:
            self.add(one.invocation, one.turn, one.first, len(one.events), *map(raw, one.events))

    def join(self, trace_id: str, join: Join) -> None:
        """Add a join."""
        schedule, alarm = 0, b""
        if join.timeout_ms:
            schedule, alarm = self.number(self._spell.scheduled(join.group)), encode_due(Due(trace_id, Alarm(join)))
        blob = b"" if join.gathers else starved(join.node, join.group).blob
        self.add(join.name, self.number(self._spell.stream(join.group)), schedule, int(join.gathers), join.timeout_ms)
        self.add(raw(alarm), raw(blob), len(join.slots))
        for slot in join.slots:
            self.add(slot, int(slot in join.optional))

    def work(
        self,
        trace_id: str,
        ended: Sequence[Feed],
        outputs: Sequence[Output],
        spill: Spill | None = None,
        group: str = "",
    ) -> None:
        """Add what a run's work leads to.

        Args:
            spill: Those of its outputs that come later.
            group: Whose schedule remembers the spill.
        """
        if not outputs and not ended and spill is None:  # a hop that ends a run, or a branch of one
            self._args += _NOTHING
            return
        change = net_feeds(ended, outputs, spill.feeds if spill else ())
        reached = [output.join for output in outputs if isinstance(output, Arrive | Open)]
        bereft = [feed.join for feed, by in change.items() if by < 0]
        numbers = {join: number for number, join in enumerate(dict.fromkeys((*reached, *bereft)), 1)}
        self.add(len(numbers))
        for join in numbers:
            self.join(trace_id, join)
        self.add(len(change))
        for feed, by in change.items():
            self.add(feed.name, by)
        self.add(len(outputs) + (spill is not None))
        for output in outputs:
            self.output(trace_id, output, numbers)
        if spill is not None:
            member = encode_due(Due(trace_id, structs.replace(spill, feeds=())))
            self.add(
                "spill", self.number(spill.key), self.number(self._spell.scheduled(group)), raw(member), spill.count
            )

    def output(self, trace_id: str, output: Output, joins: dict[Join, int]) -> None:
        """Add an output."""
        match output:
            case Emit(group=group, frame=frame):
                self.add("emit", self.number(self._spell.stream(group)), raw(frame))
            case Arrive(join=join, slot=slot, frame=frame, feeds=feeds):
                self.add("join", joins[join], slot, raw(frame), len(feeds), *(feed.name for feed in feeds))
            case Open(join=join, frame=frame, feeds=feeds):
                self.add("open", joins[join], raw(frame), len(feeds), *(feed.name for feed in feeds))
            case Enqueue(group=group, frame=frame):
                self.add("lane")
                self.lane(output.lane, group)
                self.add(int(output.by_ingress), raw(frame))
            case Schedule(group=group):
                member = encode_due(Due(trace_id, structs.replace(output, feeds=())))
                self.add("schedule", self.number(self._spell.scheduled(group)), output.delay_ms, raw(member))
            case Park(group=group, item=item):
                self.add("park", self.number(self._spell.stream(group)), group, output.signal)
                self.add(item.stash, len(item.frames), *map(raw, item.frames))

    def settled(self, settled: Settled, group: str, spill: Spill | None) -> None:
        """Add how one item ended."""
        back = [output for output in settled.outputs if isinstance(output, Schedule | Park)]
        is_again = any(isinstance(output, Schedule) and output.lane for output in back)
        terminal = settled.terminal
        place = self._begin()
        self._args += (
            self.run(settled.trace_id),
            settled.trace_id,
            settled.ticket,
            int(is_again),
            "" if any(output.item.stash for output in back) else settled.stash,
            terminal.state if terminal else "",
            raw(terminal.blob) if terminal else "",
            int(settled.dead is not None),
            raw(settled.dead) if settled.dead else "",
        )
        self.holds(settled.trace_id, settled.tickets, keeps_events=settled.keeps_events)
        self.told(settled.told)
        self.work(settled.trace_id, settled.feeds, settled.outputs, spill, group)
        self._end(place)

    def commit(self, group: str, commit: Commit, spills: Sequence[Spill | None]) -> None:
        """Add a commit; `spills` has one for each settled item that needs one."""
        staged = [self.number(spill.key) for spill in spills if spill is not None]
        self._args += (commit.delivery_id, len(staged), *staged)
        self.lane(commit.lane, group)
        state = raw(commit.state) if commit.state else ""
        self._args += (int(commit.state is not None), state, commit.state_ttl_ms, commit.limit, len(commit.settled))
        for settled, spill in zip(commit.settled, spills, strict=True):
            self.settled(settled, group, spill)
        self.add(len(commit.rest))
        for item in commit.rest:
            self.add(item.ticket, *map(raw, item.frames))

    def submission(self, submission: Submission, dead: str = "", letter: str = "") -> None:
        """Add the start of a run.

        Args:
            dead: The key of the dead letters of which it redrives one, empty for none.
            letter: That letter's id.
        """
        tickets = submission.tickets
        self.add(self.run(submission.trace_id), self.number(dead) if dead else 0, letter)
        self.add(submission.pipe, submission.most_open)
        place = self._begin()
        self.add(submission.trace_id, submission.plan, submission.inbox, submission.timeout_ms)
        self.add(submission.fingerprint, raw(_encode(tickets)) if tickets else "")
        self.add(raw(submission.entry) if submission.entry else "")
        self.holds(submission.trace_id, tickets, keeps_events=submission.keeps_events)
        self.work(submission.trace_id, (), submission.outputs)
        self._end(place)

    def due(self, group: str, member: bytes, holds: Holds) -> None:
        """Add a due member of the group's schedule, as `due.lua` gave it.

        Args:
            holds: Its run's; needed for an alarm.
        """
        due = decode_due(member)
        place = self._begin()
        self.add(raw(member), self.run(due.trace_id), due.trace_id)
        match due.what:
            case Schedule(lane=lane, item=item):
                self.add("item")
                self.lane(lane, group)
                self._item(group, item)
            case Alarm(join=join):
                self.add("alarm")
                self.join(due.trace_id, join)
                self.add(raw(timed_out(join.node, join.group).blob))
                self.holds(due.trace_id, holds.tickets, keeps_events=holds.keeps_events)
            case Spill():
                raise ValueError("a spill is emptied by itself")
        self._end(place)

    def _item(self, group: str, item: Item) -> None:
        self.add(
            self.number(self._spell.stream(group)), item.ticket, item.stash, len(item.frames), *map(raw, item.frames)
        )

    def _begin(self) -> int:
        """Begin a passage, in front of which the number of its arguments stands; gives its place for `_end`."""
        self._args.append(0)
        return len(self._args)

    def _end(self, place: int) -> None:
        self._args[place - 1] = len(self._args) - place
