"""What a random history remembers: the frames that it made, and the entries that both buses handed out."""

from dataclasses import dataclass, field

from headrace.ledger.values import Delivery, Feed


@dataclass(frozen=True, slots=True)
class Held:
    """One entry as both buses handed it out: the same but for ids."""

    group: str
    in_memory: Delivery
    on_redis: Delivery
    traces: tuple[str, ...]


@dataclass(slots=True)
class Runs:
    """What the machine knows of the frames it made: which run each is of."""

    trace_of: dict[bytes, str] = field(default_factory=dict)
    feeds_of: dict[bytes, tuple[Feed, ...]] = field(default_factory=dict)
    tickets: dict[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)

    def frame(self, trace_id: str, feeds: tuple[Feed, ...] = ()) -> bytes:
        """Make a frame; the work that it stands for, or stands first in, may lead to what `feeds` says."""
        made = f"{trace_id}/{len(self.trace_of)}".encode()
        self.trace_of[made] = trace_id
        self.feeds_of[made] = feeds
        return made
