"""Reads the names of keys, which `keys.py` spells: what an inspection finds by SCAN is told apart by them. Pure."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from headrace.bus.redis.keys import Keys

_PATTERN_LETTERS = "*?[]^\\"
_ENDED_BY = b"}:"


@dataclass(slots=True)
class Inventory:
    """The keys that one server has of a namespace, by kind.

    Attributes:
        partitions: Those that have any key here, with the speller of their keys.
        by_kind: What follows the kind in the name, with its partition; an empty text for a kind of one key.
    """

    namespace: str
    partitions: dict[int, Keys] = field(default_factory=dict[int, Keys])
    by_kind: defaultdict[str, list[tuple[int, str]]] = field(default_factory=lambda: defaultdict(list))

    def add(self, keys: Iterable[bytes]) -> None:
        """Take keys in; one that is not spelled as ours is left out."""
        for key in keys:
            tag, found, name = key.partition(_ENDED_BY)
            number = tag.rpartition(b":")[2]
            if not found or not number.isdigit():
                continue
            partition = int(number)
            if partition not in self.partitions:
                self.partitions[partition] = Keys(self.namespace, partition)
            kind, _, rest = name.decode(errors="replace").partition(":")
            self.by_kind[kind].append((partition, rest))

    def of(self, kind: str) -> list[tuple[int, str]]:
        """Give the keys of a kind, each once: its partition, and what follows the kind."""
        return list(dict.fromkeys(self.by_kind[kind]))


def pattern(namespace: str, partition: int | None = None, kind: str = "") -> str:
    """Give the pattern that SCAN finds a namespace's keys by.

    Args:
        partition: Only of this one; None for all.
        kind: Only of this one; empty for all.
    """
    literal = "".join(f"\\{letter}" if letter in _PATTERN_LETTERS else letter for letter in namespace)
    return f"{{{literal}:{'*' if partition is None else partition}}}:{kind}*"
