"""The messages of the fund-load pipe and the state of its one stateful node. Values only; no rule is here.

Load --parse--> Attempt --decide--> Decision --format--> Answer
                           |
                        Accounts
"""

from decimal import Context, Decimal, Inexact

from msgspec import Struct

MAX_AMOUNT_DIGITS = 32  # on either side of the point; no money amount has more, and sums in the state stay small

# Money is a Decimal, so an amount of more than two decimals is judged as written: not rounded, not refused. Python's
# default context would round at 28 digits without a word; this one holds any sum the rules can build (an accepted sum
# below the weekly limit, plus twice an amount) and raises rather than round.
EXACT = Context(prec=2 * MAX_AMOUNT_DIGITS + 8, traps=[Inexact])


class Load(Struct, frozen=True):
    """A request to load funds, as its sender wrote it.

    Attributes:
        load_amount: For example `$3318.47`.
        time: For example `2000-01-01T00:00:00Z`.
        problem: Why the line of an input file was no such request; the other fields then hold what could be read.
    """

    id: str
    customer_id: str
    load_amount: str
    time: str
    problem: str = ""


class Attempt(Struct, frozen=True):
    """What `parse` read from a line.

    Attributes:
        id: As written; where the line is malformed, what could be read, else empty.
        customer_id: Likewise.
        amount: In dollars, exact, not negative.
        day: The UTC date as a proleptic Gregorian ordinal (`date.toordinal`).
        problem: Why the line is malformed, empty where it is not; `amount` and `day` then mean nothing.
    """

    id: str
    customer_id: str
    amount: Decimal = Decimal(0)
    day: int = 0
    problem: str = ""


class Decision(Struct, frozen=True):
    """What the rules say of one attempt.

    Attributes:
        rule: The rule that declined: `replay`, `attempts`, `prime_amount`, `prime_slot`, `daily_sum`, `weekly_sum` or
            `malformed:<problem>`; empty where the attempt was accepted.
    """

    id: str
    customer_id: str
    accepted: bool
    rule: str = ""


class Answer(Struct, frozen=True):
    """One line of the output file; the fields stand there in this order."""

    id: str
    customer_id: str
    accepted: bool


class Day(Struct, array_like=True):
    """One customer's day.

    Attributes:
        attempts: Canonical attempts, declined ones included.
        accepted: The sum of the effective amounts accepted.
    """

    attempts: int = 0
    accepted: Decimal = Decimal(0)


class Accounts(Struct):
    """All that the rules remember; changed in place, by `decide` alone.

    A day costs two small values and is there only where a customer made an attempt. A week is the sum of its days, so
    it is not kept a second time. Nothing is ever forgotten: times come in any order, so any day may come back, and an
    id is spent for good.

    Attributes:
        seen: Every id that had its canonical line.
        days: By customer, then by day ordinal.
        prime_days: The days whose one prime-id load was accepted; empty outside the experiment.
    """

    seen: set[str] = set()
    days: dict[str, dict[int, Day]] = {}
    prime_days: set[int] = set()
