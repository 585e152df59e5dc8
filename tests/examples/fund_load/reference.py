"""The fund-load rules a second time, to judge the example by; it shares no code and no idea with it.

It keeps no sums: it walks over the lines, and for each one counts and adds up the whole history again, in fractions.
Slow, and plain enough to be checked against the text of the rules by eye.
"""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from functools import cache
from typing import Any, NamedTuple, cast


class Verdict(NamedTuple):
    id: str
    customer_id: str
    accepted: bool
    reason: str  # "malformed", or the words of the example; empty where accepted


@dataclass(frozen=True)
class Past:
    """A canonical line and what came of it."""

    id: str
    customer: str
    day: date
    amount: Fraction
    accepted: bool


def judge_all(lines: list[str], *, experiment: bool) -> list[Verdict]:
    history: list[Past] = []
    verdicts: list[Verdict] = []
    for text in lines:
        fields = read_fields(text)
        id_, customer = fields.get("id", ""), fields.get("customer_id", "")
        amount, day = read_amount(fields.get("load_amount", "")), read_day(fields.get("time", ""))
        if amount is None or day is None or len(fields) < 4:
            verdicts.append(Verdict(id_, customer, False, "malformed"))
        elif any(past.id == id_ for past in history):
            verdicts.append(Verdict(id_, customer, False, "replay"))
        else:
            effective = amount * 2 if experiment and day.strftime("%A") == "Monday" else amount
            reason = first_failure(history, Past(id_, customer, day, effective, False), experiment)
            history.append(Past(id_, customer, day, effective, not reason))
            verdicts.append(Verdict(id_, customer, not reason, reason))
    return verdicts


def first_failure(history: list[Past], now: Past, experiment: bool) -> str:
    own = [past for past in history if past.customer == now.customer]
    accepted = [past for past in own if past.accepted]
    day_sum = sum((past.amount for past in accepted if past.day == now.day), now.amount)
    week_sum = sum((past.amount for past in accepted if week_of(past.day) == week_of(now.day)), now.amount)
    prime = experiment and is_prime(now.id)
    rules = (
        ("attempts", sum(past.day == now.day for past in own) + 1 <= 3),
        ("prime_amount", not prime or now.amount <= 9999),
        ("prime_slot", not prime or not any(p.accepted and p.day == now.day and is_prime(p.id) for p in history)),
        ("daily_sum", day_sum <= 5000),
        ("weekly_sum", week_sum <= 20000),
    )
    return next((name for name, passes in rules if not passes), "")


def week_of(day: date) -> tuple[int, int]:
    return day.isocalendar()[:2]


@cache
def is_prime(text: str) -> bool:
    if not text or set(text) - set("0123456789"):
        return False
    number, divisor = int(text), 2
    while divisor * divisor <= number:
        if number % divisor == 0:
            return False
        divisor += 1
    return number > 1


def read_fields(text: str) -> dict[str, str]:
    """Give those of the four fields that are there and are strings."""
    try:
        found: Any = json.loads(text)
        json.dumps(found, ensure_ascii=False).encode()  # a lone surrogate is no text
    except ValueError:
        return {}
    if not isinstance(found, dict) or "NaN" in text.replace('"$NaN"', ""):  # json.loads takes a bare NaN
        return {}
    fields = cast("dict[str, object]", found)
    wanted = ("id", "customer_id", "load_amount", "time")
    return {name: value for name in wanted if isinstance(value := fields.get(name), str)}


def read_amount(text: str) -> Fraction | None:
    text = text.strip(" ")
    bare = text.removeprefix("USD").lstrip(" ").removeprefix("$").lstrip(" ")
    whole, point, decimals = bare.partition(".")
    digits = set("0123456789")
    if bare == text or not whole or set(whole + decimals) - digits or bool(point) != bool(decimals):
        return None
    return int(whole) + Fraction(int(decimals or "0"), 10 ** len(decimals))


def read_day(text: str) -> date | None:
    body, zone = (text[:-1], "+00:00") if text[-1:] in ("Z", "z") else (text[:-6], text[-6:])
    seconds, point, fraction = body.partition(".")
    if len(seconds) != len("2000-01-01T00:00:00") or not text.isascii() or (point and not fraction.isdigit()):
        return None
    try:
        local = datetime.strptime(seconds.upper(), "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
        if zone[0] not in "+-" or zone[3] != ":" or int(zone[4:]) > 59 or int(zone[1:3]) > 23:
            return None
        offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:]))
        return (local - offset if zone[0] == "+" else local + offset).date()
    except (ValueError, OverflowError, IndexError):
        return None
