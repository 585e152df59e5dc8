"""Channels on the memory bus: `channels.port.ChannelBus`, within one event loop."""

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from itertools import count

from headrace.bus.memory.sleepers import Sleepers
from headrace.channels.port import ChannelEnd, Reply, Side, Word
from headrace.kernel.clock import Clock

_KEPT_S = 3600.0  # after the last word about a channel, as on Redis


@dataclass(slots=True)
class _Channel:
    """What is known of a channel.

    Attributes:
        waiting: Messages, each with what settles it; the oldest first.
        held: By receiver, what it took and has not settled.
        numbers: By sender, the number of its last message.
        leases: By side, when the lease of each end runs out.
        known: Sides that somebody was on; not of receivers that fell silent.
        heard_s: When the last word about it was said.
    """

    waiting: deque[tuple[str, bytes]] = field(default_factory=deque[tuple[str, bytes]])
    held: dict[str, tuple[str, bytes]] = field(default_factory=dict[str, tuple[str, bytes]])
    numbers: dict[str, int] = field(default_factory=dict[str, int])
    leases: dict[Side, dict[str, float]] = field(default_factory=lambda: {side: {} for side in Side})
    known: set[Side] = field(default_factory=set[Side])
    heard_s: float = 0.0

    def bury(self, now_s: float) -> bool:
        """Forget ends whose lease has run out; gives whether there were any."""
        dead = [(side, end) for side in Side for end, until_s in self.leases[side].items() if until_s <= now_s]
        for side, end in dead:
            self.lose(side, end)
            if side is Side.RECEIVERS:  # it has not closed: what is unread stays for another
                self.known.discard(side)
        return bool(dead)

    def lose(self, side: Side, end: str, settled: str = "") -> None:
        """Forget an end; what it held and did not settle is the oldest again."""
        self.leases[side].pop(end, None)
        self.numbers.pop(end, None)
        held = self.held.pop(end, None)
        if held is not None and held[0] != settled:
            self.waiting.appendleft(held)

    def is_gone(self, side: Side) -> bool:
        """Whether a side was there and is no more; receivers are gone only when the last has left."""
        return side in self.known and not self.leases[side]

    def is_over(self) -> bool:
        """Whether nothing comes any more: what a receiver holds comes again if that one dies."""
        return self.is_gone(Side.SENDERS) and not self.waiting and not self.held


class MemoryChannels:
    """Carries channels.

    Args:
        sleepers: The bus's; closing it wakes all.
    """

    def __init__(self, clock: Clock, sleepers: Sleepers) -> None:
        self._now = clock.monotonic
        self._sleepers = sleepers
        self._channels: OrderedDict[str, _Channel] = OrderedDict()  # the one that is silent for longest is the first
        self._marks = count(1)

    async def channel_join(self, end: ChannelEnd) -> None:
        self._renewed(end)

    async def channel_leave(self, end: ChannelEnd, settled: str) -> None:
        channel = self._renewed(end)
        channel.lose(end.side, end.id, settled)
        if channel.is_gone(Side.RECEIVERS):
            channel.waiting.clear()
        if channel.is_gone(Side.RECEIVERS) and channel.is_gone(Side.SENDERS):
            del self._channels[end.channel]
        for side in Side:  # what it held is there for others of its side, too
            self._sleepers.wake_all((side, end.channel))

    async def channel_put(self, end: ChannelEnd, number: int, frame: bytes, capacity: int) -> Reply:
        channel = self._renewed(end)
        if number <= channel.numbers.get(end.id, 0):
            return Reply(Word.PUT)
        if channel.is_gone(Side.RECEIVERS):
            return Reply(Word.CLOSED)
        if len(channel.waiting) >= capacity:
            return Reply(Word.FULL)
        channel.numbers[end.id] = number
        channel.waiting.append((str(next(self._marks)), frame))
        self._sleepers.wake_all((Side.RECEIVERS, end.channel))
        return Reply(Word.PUT)

    async def channel_take(self, end: ChannelEnd, settled: str) -> Reply:
        channel = self._renewed(end)
        held = channel.held.get(end.id)
        if held is None or held[0] == settled:
            channel.held.pop(end.id, None)
            if channel.is_over():
                self._sleepers.wake_all((Side.RECEIVERS, end.channel))  # others wait for what this one held
                return Reply(Word.CLOSED)
            if not channel.waiting:
                return Reply(Word.EMPTY)
            held = channel.held[end.id] = channel.waiting.popleft()
            self._sleepers.wake_all((Side.SENDERS, end.channel))
        return Reply(Word.TAKEN, *held)

    async def channel_wait(self, end: ChannelEnd, mark: str, wait_s: float) -> None:  # noqa: ARG002 - nothing changes between a reply and this
        await self._sleepers.wait((end.side, end.channel), wait_s)

    def _renewed(self, end: ChannelEnd) -> _Channel:
        now_s = self._now()
        if end.channel not in self._channels:
            self._forget(now_s - _KEPT_S)
            self._channels[end.channel] = _Channel()
        channel = self._channels[end.channel]
        self._channels.move_to_end(end.channel)
        channel.heard_s = now_s
        if channel.bury(now_s):  # what it held is there for another, and the last sender may be gone
            self._sleepers.wake_all((Side.RECEIVERS, end.channel))
        channel.known.add(end.side)
        channel.leases[end.side][end.id] = now_s + end.lease_s
        return channel

    def _forget(self, until_s: float) -> None:
        """Forget channels that nothing was heard of since: their other side may never have come."""
        while self._channels and next(iter(self._channels.values())).heard_s <= until_s:
            self._channels.popitem(last=False)
