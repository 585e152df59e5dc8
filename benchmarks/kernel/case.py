"""The cases that every contestant has, and the size of each."""

from collections.abc import Awaitable, Callable

from msgspec import Struct

Cases = dict[str, Callable[[], Awaitable[int]]]  # each runs once, and gives something to check


class Case(Struct, frozen=True):
    """A case.

    Attributes:
        per: How many nodes, or tokens, one run has.
        runs: How many are measured together: one that is short is shorter than what the clock tells apart.
        rounds: How often that is done; the least counts.
        answer: What every contestant must come to.
    """

    name: str
    per: int
    runs: int
    rounds: int
    answer: int


TOKENS = 1000
CASES = (
    Case("chain of 3", 3, 50, 20, 3),
    Case("fan-out of 10, joined", 12, 20, 20, 10),
    Case("map and gather of 1,000", 1_002, 1, 15, sum(range(1_000))),
    Case("map and gather of 100,000", 100_002, 1, 3, sum(range(100_000))),
    Case("chain of 900", 900, 1, 15, 900),
    Case(f"{TOKENS:,} tokens", TOKENS, 5, 20, TOKENS),
)
