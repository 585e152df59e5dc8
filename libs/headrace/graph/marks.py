"""What a parameter takes, and the marks on an annotation that say so: `Inject[...]`, `Gather[...]`, .... Pure."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Annotated, Any, get_args, get_origin

from headrace.graph.options import (
    FirstMarker,
    GatherMarker,
    InjectMarker,
    PartialMarker,
    SignalMarker,
    StateMarker,
)
from headrace.graph.plan import SlotKind


class Role(Enum):
    """What a parameter takes."""

    MESSAGE = auto()
    INJECTED = auto()
    STATE = auto()
    SIGNAL = auto()
    CONTEXT = auto()


@dataclass(frozen=True, slots=True)
class Mark:
    """A mark: the word that users write, and what the parameter then takes."""

    word: str
    role: Role
    kind: SlotKind = SlotKind.ONE


_MARKS = {
    InjectMarker: Mark("Inject", Role.INJECTED),
    StateMarker: Mark("State", Role.STATE),
    SignalMarker: Mark("Signal", Role.SIGNAL),
    FirstMarker: Mark("First", Role.MESSAGE, SlotKind.FIRST),
    PartialMarker: Mark("Partial", Role.MESSAGE, SlotKind.PARTIAL),
    GatherMarker: Mark("Gather", Role.MESSAGE, SlotKind.GATHER),
}


def read_marks(hint: object) -> tuple[Any, tuple[Mark, ...]]:
    """Give what is annotated, and its marks in order of writing; other metadata means nothing here."""
    if get_origin(hint) is not Annotated:
        return hint, ()
    inner, *metadata = get_args(hint)
    return inner, tuple(dict.fromkeys(_MARKS[type(each)] for each in metadata if type(each) in _MARKS))
