"""Makes input files for the fund-load pipe: seeded, and each rule, equality and malformed form comes up often.

A file is many short stories (a customer fills a week, an id is replayed, ...) told line by line in turns, so that they
meet in the same days, slots and ids. The same count and seed give the same lines.
"""

import json
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta, timezone
from pathlib import Path
from random import Random

from tests.examples.fund_load.malformed import AMOUNTS, FIELDS, NOT_JSON, NOT_OBJECTS, NOT_STRINGS, TIMES

FIRST_MONDAY = date(2000, 1, 3)
STORIES_AT_ONCE = 6
LINES_A_DAY = 25  # the calendar moves on, so that prime slots and weeks stay free


def line(id_: str, customer: str, amount: str, when: str) -> str:
    return json.dumps({"id": id_, "customer_id": customer, "load_amount": amount, "time": when}, ensure_ascii=False)


def generate(count: int, seed: int) -> list[str]:
    """Give `count` lines without line ends."""
    return _Storyteller(Random(seed)).tell(count)


def write_lines(path: Path, count: int, seed: int) -> None:
    """Write an input file of `count` lines, UTF-8 with LF."""
    path.write_bytes("".join(f"{text}\n" for text in generate(count, seed)).encode())


class _Storyteller:
    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.primes = _primes(100_000)
        rng.shuffle(self.primes)
        self.used: list[str] = ["1"]
        self.customers = 0
        self.composite = 1000
        self.told = 0

    def tell(self, count: int) -> list[str]:
        told: list[str] = []
        active = [self._new_story() for _ in range(STORIES_AT_ONCE)]
        while len(told) < count:
            turn = self.rng.randrange(STORIES_AT_ONCE)
            text = next(active[turn], None)
            if text is None:
                active[turn] = self._new_story()
            else:
                told.append(text)
                self.told += 1
        return told

    def _new_story(self) -> Iterator[str]:
        stories: tuple[Callable[[], Iterator[str]], ...] = (
            self._noise, self._many_attempts, self._full_day, self._full_week, self._full_week_of_doubled_monday,
            self._prime_rush, self._prime_amounts, self._monday, self._replays, self._malformed,
        )  # fmt: skip
        return self.rng.choice(stories)()

    def _id(self, *, prime: bool | None = None) -> str:
        if prime is None:
            prime = self.rng.random() < 0.2
        if prime and self.primes:
            text = str(self.primes.pop())
            text = f"00{text}" if self.rng.random() < 0.1 else text
        else:
            self.composite += 2  # even, so never prime
            text = self.rng.choice((str(self.composite),) * 8 + (f"a{self.composite}", f"-{self.composite + 1}"))
        self.used.append(text)
        return text

    def _customer(self) -> str:
        self.customers += 1
        return str(self.customers)

    def _shared_customer(self) -> str:
        return f"shared-{self.rng.randrange(5)}"

    def _monday_now(self) -> date:
        return FIRST_MONDAY + timedelta(weeks=self.told // (LINES_A_DAY * 7) + self.rng.choice((-1, 0, 0, 0, 1)))

    def _day_now(self) -> date:
        return self._monday_now() + timedelta(days=self.rng.randrange(7))

    def _amount(self, dollars: str) -> str:
        forms = ("$%s",) * 4 + ("USD$%s", "USD %s", " $%s ", "USD $%s", "$ %s", "USD%s", " USD  $  %s", "$0%s", "$%s")
        return self.rng.choice(forms) % dollars

    def _when(self, day: date) -> str:
        clock = self.rng.choice((time(0), time(23, 59, 59), time(12, 30, 1), time(self.rng.randrange(24))))
        form = self.rng.choice(("Z", "Z", "Z", "Z", "z", "+00:00", "-00:00", ".5Z", ".999999999Z", "offset"))
        if form == "offset":
            zone = timezone(timedelta(minutes=self.rng.choice((-720, -90, 60, 330, 840))))
            return datetime.combine(day, clock, timezone.utc).astimezone(zone).isoformat()  # noqa: UP017 - beside timezone
        return f"{day.isoformat()}{'t' if form == 'z' else 'T'}{clock.isoformat()}{form}"

    def _line(
        self, customer: str, dollars: str, day: date, *, id_: str | None = None, prime: bool | None = None
    ) -> str:
        return line(self._id(prime=prime) if id_ is None else id_, customer, self._amount(dollars), self._when(day))

    def _noise(self) -> Iterator[str]:
        for _ in range(4):
            cents = self.rng.randrange(700_000)
            yield self._line(self._shared_customer(), f"{cents // 100}.{cents % 100:02d}", self._day_now())

    def _many_attempts(self) -> Iterator[str]:
        customer, day = self._customer(), self._day_now()
        too_much = self.rng.randrange(4)  # how many of the first attempts are declined, and count all the same
        for attempt in range(5):
            yield self._line(customer, "20000.01" if attempt < too_much else "1.00", day)
        yield self._line(customer, "1.00", day + timedelta(days=1))

    def _full_day(self) -> Iterator[str]:
        customer, day = self._customer(), self._day_now()
        for dollars in self.rng.choice((
            ("5000.00", "0.00", "0.01"), ("5000.01", "5000", "0"), ("2500.00", "2500.00", "0.001"),
            ("2500.00", "2500.01", "2500.0"), ("4999.999", "0.001", "0.0000000001"), ("1666.67", "1666.67", "1666.66"),
            ("1666.67", "1666.67", "1666.67"), ("0.1", "0.2", "4999.7"), ("1250.00", "1250.00", "2500.00"),
            ("9" * 31, "4999." + "9" * 31, "0." + "0" * 30 + "1"),
        )):  # fmt: skip
            yield self._line(customer, dollars, day)

    def _full_week(self) -> Iterator[str]:
        customer, monday = self._customer(), self._monday_now()
        offsets = self.rng.sample(range(1, 7), 5)  # in any order; the doubled Monday has a story of its own
        last = self.rng.choice(("0.01", "0.00", "0.001", "5000.00"))
        loads = [(offset, "5000.00") for offset in offsets[1:]] + [(offsets[0], last)]
        for outside in (-1, 7):  # the Sunday before and the Monday after, told at any moment
            loads.insert(self.rng.randrange(6), (outside, "2500.00"))
        for offset, dollars in loads:
            yield self._line(customer, dollars, monday + timedelta(days=offset), prime=False)

    def _full_week_of_doubled_monday(self) -> Iterator[str]:
        customer, monday = self._customer(), self._monday_now()
        loads = [(0, "2500.00"), (2, "5000.00"), (4, "5000.00"), (6, "5000.00")]
        self.rng.shuffle(loads)
        for offset, dollars in loads:
            yield self._line(customer, dollars, monday + timedelta(days=offset), prime=False)
        yield self._line(customer, self.rng.choice(("0.00", "0.01", "2500.01", "2500")), monday + timedelta(days=1))

    def _prime_rush(self) -> Iterator[str]:
        day = self._day_now()
        for dollars in ("6000.00", "10.00", "20.00", "9999.01"):
            yield self._line(self._customer(), dollars, day, prime=True)

    def _prime_amounts(self) -> Iterator[str]:
        for dollars in ("9999.00", "9999.01", "10000.00", "4999.50", "4999.51"):
            yield self._line(self._customer(), dollars, self._day_now(), prime=True)

    def _monday(self) -> Iterator[str]:
        for dollars in ("2500.00", "2500.01", "4999.50", "4999.51"):
            yield self._line(self._customer(), dollars, self._monday_now())

    def _replays(self) -> Iterator[str]:
        customer, day = self._customer(), self._day_now()
        for _ in range(3):
            other = self.rng.choice((customer, self._shared_customer()))
            yield self._line(other, "10.00", day, id_=self.rng.choice(self.used))
        yield self._line(customer, "5000.00", day, prime=False)

    def _malformed(self) -> Iterator[str]:
        customer, day, rng = self._customer(), self._day_now(), self.rng
        fields = {"id": self._id(), "customer_id": customer, "load_amount": "$1.00", "time": self._when(day)}
        broken = rng.choice(FIELDS)
        yield json.dumps({name: value for name, value in fields.items() if name != broken})
        yield json.dumps({**fields, broken: rng.choice(NOT_STRINGS)})
        yield json.dumps({**fields, "load_amount": rng.choice(AMOUNTS)})
        yield json.dumps({**fields, "time": rng.choice(TIMES)})
        yield rng.choice(NOT_OBJECTS)
        yield rng.choice(NOT_JSON)
        yield json.dumps(
            {**fields, "note": rng.choice(NOT_STRINGS)}
        )  # well-formed: the id was not spent, only now it is
        yield json.dumps(fields)


def _primes(below: int) -> list[int]:
    sieve = bytearray([1]) * below
    sieve[:2] = b"\0\0"
    for number in range(2, int(below**0.5) + 1):
        if sieve[number]:
            sieve[number * number :: number] = bytes(len(range(number * number, below, number)))
    return [number for number in range(below) if sieve[number]]
