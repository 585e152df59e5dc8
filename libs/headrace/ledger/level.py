"""What stands in a group's stream, for whoever scales and watches it. Values only."""

from msgspec import Struct


class Level(Struct, frozen=True):
    """What stands in a group's stream.

    Attributes:
        backlog: Entries that wait or are in flight.
        oldest_s: Age of the oldest of them in seconds, by the bus's clock; 0 where there is none.
        dead_letters: Of the group.
    """

    backlog: int = 0
    oldest_s: float = 0.0
    dead_letters: int = 0
