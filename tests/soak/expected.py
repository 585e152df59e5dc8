"""What the drawn pipeline must answer, worked out run by run in plain Python; it shares only the draw with the pipe."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from msgspec import Struct
from tests.soak.drawn import (
    MODULUS,
    Entry,
    Kind,
    Stage,
    bits,
    fold,
    has_extra,
    is_cancelled,
    is_doomed,
    is_filtered,
    is_kept,
    is_signalled,
    parts,
    pieces,
)

CANCELLED = "cancelled"
DROPPED = "dropped"
FAILED = "failed"
Outcome = int | str


class Expected(Struct):
    """What must come out.

    Attributes:
        outcomes: A value, or how the run ended otherwise; by run, in order.
        sums: Of the pieces, by node and key: their total and their number.
        ingress: The last sum of each key, by node and key: its total and its number.
    """

    outcomes: list[Outcome]
    sums: dict[tuple[str, str], tuple[int, int]]
    ingress: dict[tuple[str, str], tuple[int, int]]


def expect(stages: tuple[Stage, ...], entries: Iterable[Entry]) -> Expected:
    """Work the answers of runs out, which were started in this order."""
    return _Walk(stages).all(entries)


class _Walk:
    def __init__(self, stages: tuple[Stage, ...]) -> None:
        self.stages = stages
        self.doom = [stage.kind for stage in stages].index(Kind.STEP)
        self.running: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.ran: Counter[tuple[str, str]] = Counter()
        self.totals: Counter[tuple[str, str]] = Counter()
        self.added: Counter[tuple[str, str]] = Counter()

    def all(self, entries: Iterable[Entry]) -> Expected:
        outcomes = [self.one(entry) for entry in entries]
        sums = {lane: (self.totals[lane], self.added[lane]) for lane in self.added}
        return Expected(outcomes, sums, {lane: (self.running[lane], self.ran[lane]) for lane in self.ran})

    def one(self, entry: Entry) -> Outcome:
        if is_cancelled(entry.number):
            return CANCELLED
        value = entry.value
        for at, stage in enumerate(self.stages):
            if at == self.doom and is_doomed(entry.number):
                return FAILED
            if stage.kind is Kind.FILTER and is_filtered(at, entry.number):
                return DROPPED
            value = self.pass_on(at, stage, entry, value) % MODULUS
        return value

    def pass_on(self, at: int, stage: Stage, entry: Entry, value: int) -> int:
        match stage.kind:
            case Kind.KEYED:
                return self.keyed(f"keyed_{at}", entry.key, value)
            case Kind.PIECES:
                lane = (f"add_{at}", entry.key)
                for piece in pieces(at, entry.number, value):
                    self.totals[lane] += piece
                    self.added[lane] += 1
                return value
            case _:
                return _pass_on(at, stage, entry.number, value)

    def keyed(self, node: str, key: str, value: int) -> int:
        self.ran[node, key] += 1
        self.running[node, key] = (self.running[node, key] + value) % MODULUS
        return self.running[node, key]


def _pass_on(at: int, stage: Stage, number: int, value: int) -> int:
    """Give what a stage makes of a value where no other run matters."""
    passed_on = {
        Kind.STEP: value * stage.factor + 1,
        Kind.SWITCH: value * 3 if value % 2 else value + stage.factor,
        Kind.DIAMOND: 2 * ((value + stage.factor) % MODULUS) + value * stage.factor % MODULUS,
        Kind.GATHER: fold(fold(filter(is_kept, bits(part))) for part in parts(at, number, value)),
        Kind.CHOICE: value * stage.factor % MODULUS + (value if has_extra(at, number) else 0),
        Kind.SIGNAL: value + number if is_signalled(number) else value,
        Kind.FILTER: value,
    }
    return passed_on[stage.kind]
