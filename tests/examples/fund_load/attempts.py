"""Attempts written by hand, and what the rules say of a row of them. 3 January 2000 is a Monday."""

from datetime import date
from decimal import Decimal

import pytest
from examples.fund_load.model import Accounts, Attempt
from examples.fund_load.parse import parse, read_line
from examples.fund_load.rules import decide

MONDAY = 3
TUESDAY = 4
A, B, C, D, E = "a", "b", "4", "6", "8"  # ids that are not prime
BOTH = pytest.mark.parametrize("experiment", [False, True])


def attempt(id_: str, dollars: str, day: int = TUESDAY, *, customer: str = "c") -> Attempt:
    """Make an attempt on a day of January 2000; days 0 and below reach back into December 1999."""
    return Attempt(id_, customer, Decimal(dollars), date(2000, 1, 1).toordinal() + day - 1)


def parse_line(text: str) -> Attempt:
    """Read a line as the pipe does."""
    return parse(read_line(text))


def rules(*attempts: Attempt, experiment: bool) -> list[str]:
    """Give for each attempt the rule that declined it, "" where it was accepted."""
    accounts = Accounts()
    return [decide(accounts, each, experiment=experiment).rule for each in attempts]


def full_week(*, days: tuple[int, ...] = (4, 5, 6, 7)) -> list[Attempt]:
    """Accept 20,000.00 in the week of 3 to 9 January."""
    return [attempt(f"w{day}", "5000.00", day) for day in days]
