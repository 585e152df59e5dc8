"""Dead letters of all groups and partitions, found and named so that a name can be given back.

A letter's name is `<pipe.group>/<partition>/<id>`, as in `fund_load.intake/0/1732186000000-0`.
"""

from collections.abc import AsyncGenerator, Sequence

import msgspec
from msgspec import Struct

from headrace.bus.redis.inspect.names import Inventory, pattern
from headrace.bus.redis.inspect.places import Places
from headrace.bus.redis.keys import Keys
from headrace.ledger import dead_letter
from headrace.ledger.dead_letter import DeadLetter
from headrace.ledger.values import Letter

_PARTS = 3


class Wanted(Struct, frozen=True):
    """Which letters are meant; an empty field means all.

    Attributes:
        group: A stream, `pipe.group`, or a pipe's group, `group`.
        kind: Of the failure.
    """

    pipe: str = ""
    group: str = ""
    kind: str = ""
    trace_id: str = ""

    def has_stream(self, stream: str) -> bool:
        """Tell whether letters of a stream may be meant."""
        pipe, _, group = stream.partition(".")
        return self.pipe in ("", pipe) and self.group in ("", stream, group)

    def has(self, letter: DeadLetter | None) -> bool:
        """Tell whether a letter is meant; one that cannot be read is, where nothing is asked of what it says."""
        if letter is None:
            return not self.kind and not self.trace_id
        return self.kind in ("", letter.failure.kind) and self.trace_id in ("", letter.trace_id)


class FoundLetter(Struct, frozen=True):
    """A dead letter, and where it lies.

    Attributes:
        stream: The group's, `pipe.group`.
        letter: As the bus gives it.
        read: What it says; None where it is none of ours.
    """

    stream: str
    letter: Letter
    read: DeadLetter | None

    @property
    def name(self) -> str:
        """What names it on a command line."""
        return f"{self.stream}/{self.letter.partition}/{self.letter.id}"

    @property
    def line(self) -> "LetterLine":
        """What is shown of it; of one that is none of ours only where it lies."""
        letter = self.read
        if letter is None:
            return LetterLine(self.name, self.stream)
        why = letter.failure
        return LetterLine(
            self.name,
            self.stream,
            letter.trace_id,
            why.node,
            why.kind,
            why.source,
            why.error,
            why.detail,
            letter.attempt,
            letter.deliveries,
            letter.first_ms,
            letter.at_ms,
            letter.plan,
        )


class LetterLine(Struct, frozen=True):
    """A dead letter as it is shown, without its frames; times are Unix milliseconds.

    Attributes:
        detail: Empty unless the operator has details told.
    """

    name: str
    group: str
    trace_id: str = ""
    node: str = ""
    kind: str = ""
    source: str = ""
    error: str = ""
    detail: str = ""
    attempts: int = 0
    deliveries: int = 0
    first_ms: int = 0
    at_ms: int = 0
    plan: str = ""


def parse_name(name: str) -> tuple[str, int, str] | None:
    """Read the name of a letter: stream, partition, id; None where it is none."""
    parts = name.rsplit("/", _PARTS - 1)
    if len(parts) != _PARTS or not parts[0] or not parts[1].isdigit():
        return None
    stream, partition, entry_id = parts
    return (stream, int(partition), entry_id) if entry_id.replace("-", "", 1).isdigit() else None


async def all_letters(places: Places, wanted: Wanted) -> AsyncGenerator[FoundLetter]:
    """Give the letters that are meant, stream by stream, oldest first in each.

    Raises:
        BusUnavailableError: A server is away.
    """
    async with places.errors():
        for place in await places.all():
            inventory = Inventory(places.namespace)
            async for page in place.keys(pattern(places.namespace, kind="dead:")):
                inventory.add(page)
            for partition, stream in sorted(inventory.of("dead"), key=lambda each: (each[1], each[0])):
                if not wanted.has_stream(stream):
                    continue
                async for entries in place.entries(inventory.partitions[partition].dead(stream)):
                    for entry_id, fields in entries:
                        found = _letter(stream, partition, entry_id, fields or ())
                        if wanted.has(found.read):
                            yield found


async def letter_of(places: Places, name: tuple[str, int, str]) -> FoundLetter | None:
    """Look one letter up; None where it is gone. Raises as `all_letters`."""
    stream, partition, entry_id = name
    key = Keys(places.namespace, partition).dead(stream)
    async with places.errors():
        place = await places.having(key)
        entries = await place.ask("XRANGE", key, entry_id, entry_id) if place is not None else None
    return _letter(stream, partition, *entries[0]) if entries else None


def _letter(stream: str, partition: int, entry_id: bytes, fields: Sequence[bytes]) -> FoundLetter:
    blob = dict(zip(fields[::2], fields[1::2], strict=True)).get(b"letter", b"")
    try:
        read = dead_letter.decode(blob)
    except msgspec.MsgspecError:
        read = None
    return FoundLetter(stream, Letter(partition, entry_id.decode(), blob), read)
