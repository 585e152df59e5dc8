"""The fund-load rules: judges one attempt after another against what was accepted before. Pure, but for `Accounts`.

The answers depend on the order of the calls, so the caller judges attempts one at a time, in input order. What the
rules leave open is decided so:

- A malformed line touches no state. So it does not spend its id either, even where the id could be read: the first
  well-formed line with an id is the canonical one, and a malformed line stops nothing.
- Ids are compared as text (`7` and `07` are two ids), and found prime by value (both are).
"""

from decimal import Decimal

from examples.fund_load.model import EXACT, Accounts, Attempt, Day, Decision
from examples.fund_load.primes import is_prime_id

MAX_ATTEMPTS_A_DAY = 3
MAX_DAILY_SUM = Decimal("5000.00")
MAX_WEEKLY_SUM = Decimal("20000.00")
MAX_PRIME_AMOUNT = Decimal("9999.00")

_DAYS_A_WEEK = 7


def decide(accounts: Accounts, attempt: Attempt, *, experiment: bool) -> Decision:
    """Judge an attempt, and record in the accounts what later ones must know of it.

    Args:
        accounts: Holds every attempt judged before; changed in place. A malformed line and a replay change nothing.
        attempt: As `parse` gave it, malformed or not.
        experiment: Judge by the rules for prime ids and Mondays too.
    """
    if attempt.problem:
        rule = f"malformed:{attempt.problem}"
    elif attempt.id in accounts.seen:
        rule = "replay"
    else:
        accounts.seen.add(attempt.id)
        rule = _judge(accounts, attempt, experiment=experiment)
    return Decision(attempt.id, attempt.customer_id, accepted=not rule, rule=rule)


def _judge(accounts: Accounts, attempt: Attempt, *, experiment: bool) -> str:
    """Judge a canonical attempt: the first failing rule in the order they are given, else empty and all recorded."""
    days = accounts.days.setdefault(attempt.customer_id, {})
    today = days.setdefault(attempt.day, Day())
    today.attempts += 1
    if today.attempts > MAX_ATTEMPTS_A_DAY:
        return "attempts"
    is_monday = _weekday(attempt.day) == 0
    amount = EXACT.add(attempt.amount, attempt.amount) if experiment and is_monday else attempt.amount
    is_prime = experiment and is_prime_id(attempt.id)
    rule = _failing_prime_rule(accounts, attempt.day, amount) if is_prime else ""
    rule = rule or _failing_sum_rule(days, attempt.day, amount)
    if rule:
        return rule
    today.accepted = EXACT.add(today.accepted, amount)
    if is_prime:
        accounts.prime_days.add(attempt.day)
    return ""


def _failing_prime_rule(accounts: Accounts, day: int, amount: Decimal) -> str:
    if amount > MAX_PRIME_AMOUNT:
        return "prime_amount"
    return "prime_slot" if day in accounts.prime_days else ""


def _failing_sum_rule(days: dict[int, Day], day: int, amount: Decimal) -> str:
    if EXACT.add(days[day].accepted, amount) > MAX_DAILY_SUM:
        return "daily_sum"
    return "weekly_sum" if EXACT.add(_accepted_in_week(days, day), amount) > MAX_WEEKLY_SUM else ""


def _weekday(day: int) -> int:
    return (day - 1) % _DAYS_A_WEEK  # ordinal 1, the first of January of year 1, is a Monday


def _accepted_in_week(days: dict[int, Day], day: int) -> Decimal:
    monday = day - _weekday(day)
    total = Decimal(0)
    for each in range(monday, monday + _DAYS_A_WEEK):
        known = days.get(each)
        if known is not None:
            total = EXACT.add(total, known.accepted)
    return total
