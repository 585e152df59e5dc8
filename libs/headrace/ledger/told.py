"""What a call of a node tells of itself, as a bus keeps it: opaque events, which can be told again."""

from msgspec import Struct


class Told(Struct, frozen=True):
    """Events that one call of a node tells, for those who follow its run.

    Attributes:
        invocation: The call, as its envelope's id says; the same again where it is repeated.
        turn: As its delivery's. What a later turn of a call tells replaces what earlier ones told.
        first: Events of this turn told before, so that telling again what may have been kept keeps it once.
        events: As `headrace.ledger.events` encodes them, in order.
    """

    trace_id: str
    invocation: str
    turn: str
    first: int
    events: tuple[bytes, ...]
