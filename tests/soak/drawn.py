"""A pipeline drawn at random: its stages, one after the other, and what decides about their runs. Pure; has no node.

Every kind of stage is there at least once. A stage takes the numbers of a run and passes them on to the next one.
The first is always the signal's: a run that is cancelled gets no further, so it leaves nothing behind.
"""

from collections.abc import Iterable
from enum import StrEnum
from random import Random
from zlib import crc32

from msgspec import Struct

GROUPS = ("left", "middle", "right")
KEYS = 16
MODULUS = 1_000_003
MOST_PIECES = 4
_EXTRA_STAGES = 3
MOST_PARTS = 3
_FLAKY_PERCENT = 4
_FILTERED_PERCENT = 3
_DOOMED_PERCENT = 1
_SIGNALLED_PERCENT = 3
_CANCELLED_PERCENT = 1


class Kind(StrEnum):
    """What a stage is.

    STEP: one node; it fails the runs that are doomed. SWITCH: one of two nodes. DIAMOND: two nodes and a join of both.
    KEYED: the running sum of a key, in the order of ingress. FILTER: drops some runs. PIECES: sends pieces aside, which
    a keyed node adds up in the order of arrival, and goes on beside them. GATHER: parts, each with bits, some of which
    are dropped; the bits of a part are gathered, and then the parts. CHOICE: the first of two, and what may come
    besides. SIGNAL: some runs wait for a signal, those that are cancelled for ever.
    """

    STEP = "step"
    SWITCH = "switch"
    DIAMOND = "diamond"
    KEYED = "keyed"
    FILTER = "filter"
    PIECES = "pieces"
    GATHER = "gather"
    CHOICE = "choice"
    SIGNAL = "signal"


class Stage(Struct, frozen=True):
    """One stage.

    Attributes:
        groups: Of its nodes, in the order in which `pipe` names them.
        factor: Of its arithmetic.
    """

    kind: Kind
    groups: tuple[str, str, str]
    factor: int


class Entry(Struct, frozen=True):
    """What a run starts from."""

    number: int
    key: str
    value: int


def draw(seed: int) -> tuple[Stage, ...]:
    """Draw a pipeline; the same seed gives the same one."""
    rng = Random(seed)
    extra = rng.choices([Kind.STEP, Kind.SWITCH, Kind.DIAMOND, Kind.PIECES, Kind.GATHER, Kind.CHOICE], k=_EXTRA_STAGES)
    rest = [*(kind for kind in Kind if kind is not Kind.SIGNAL), *extra]
    rng.shuffle(rest)
    return tuple(
        Stage(kind, (rng.choice(GROUPS), rng.choice(GROUPS), rng.choice(GROUPS)), rng.randrange(2, MODULUS))
        for kind in (Kind.SIGNAL, *rest)
    )


def entry(seed: int, number: int) -> Entry:
    """Make the message that a run starts from."""
    rng = Random(seed * 1_000_003 + number)
    return Entry(number, f"key-{rng.randrange(KEYS)}", rng.randrange(MODULUS))


def is_flaky(node: str, number: int, attempt: int) -> bool:
    """Tell whether a call fails, and is worth another."""
    return _percent("flaky", node, number, attempt) < _FLAKY_PERCENT


def is_filtered(stage: int, number: int) -> bool:
    """Tell whether a filter drops a run."""
    return _percent("filter", stage, number) < _FILTERED_PERCENT


def is_doomed(number: int) -> bool:
    """Tell whether a run fails for good, at its first step."""
    return _percent("doomed", number) < _DOOMED_PERCENT


def pieces(stage: int, number: int, value: int) -> list[int]:
    """Give the pieces that a run sends aside; one that is to fail sends none, as they might come far or not."""
    count = 0 if is_doomed(number) else _percent("pieces", stage, number) % (MOST_PIECES + 1)
    return [(value + piece) % MODULUS for piece in range(count)]


def parts(stage: int, number: int, value: int) -> list[int]:
    """Give the parts of a run; there is always one."""
    count = 1 + _percent("parts", stage, number) % MOST_PARTS
    return [(value + part) % MODULUS for part in range(count)]


def bits(value: int) -> list[int]:
    """Give the bits of a part, of which those that are not `is_kept` are dropped; the first one never is."""
    others = [(value * (bit + 2)) % MODULUS for bit in range(_percent("bits", value) % MOST_PARTS)]
    return [value if is_kept(value) else 1, *others]


def is_kept(bit: int) -> bool:
    """Tell whether a bit comes to its gather."""
    return bit % 5 != 0


def fold(values: Iterable[int]) -> int:
    """Make one number of several, which tells of their order."""
    folded = 1
    for value in values:
        folded = (folded * 31 + value) % MODULUS
    return folded


def has_extra(stage: int, number: int) -> bool:
    """Tell whether what may come at a choice comes."""
    return _percent("extra", stage, number) % 2 == 0


def is_signalled(number: int) -> bool:
    """Tell whether a run waits for its signal."""
    return _percent("signal", number) < _SIGNALLED_PERCENT


def is_cancelled(number: int) -> bool:
    """Tell whether a run waits for a signal that does not come, until it is cancelled."""
    return _percent("cancel", number) < _CANCELLED_PERCENT


def steered_after_s(number: int) -> float:
    """Give the seconds after which a run gets its signal, or is cancelled: soon, or when it has long waited."""
    return _percent("steer", number) / 100


def _percent(*words: object) -> int:
    return crc32("/".join(map(str, words)).encode()) % 100
