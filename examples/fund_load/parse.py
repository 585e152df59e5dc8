"""Reads one input line into a `Load`, and a `Load` into an `Attempt`. Pure.

It raises on no text whatever: a malformed line is a value too.

A line is a JSON object whose `id`, `customer_id`, `load_amount` and `time` are strings. Other fields are ignored; of a
field given twice the last counts, as in every common JSON reader. The `problem` of a malformed line is the first of:

    | problem                           | the line                                                                  |
    | --------------------------------- | ------------------------------------------------------------------------- |
    | json                              | is not JSON, or nests deeper than the reader goes; no id can be read      |
    | not_object                        | is JSON of another kind; no id can be read                                |
    | missing_<field>                   | lacks the field                                                           |
    | not_string_<field>                | has the field, but not as a string                                        |
    | bad_load_amount                   | has an amount of another form than below                                  |
    | bad_time                          | has a time of another form than below, or one that is not in the calendar |

An amount is a currency (`$`, `USD` or `USD$`) and digits with an optional decimal part, with spaces before, between
and after these. A sign, a thousands separator, an exponent or a missing currency makes it malformed.

A time is RFC 3339. An offset other than UTC names an instant as well, and the rules speak of the UTC date, so it is
converted. A leap second (`:60`) is malformed: the standard library knows none, and which dates had one is a table that
grows. So is an instant before year 1 or after year 9999 in UTC.
"""

import re
from datetime import date
from decimal import Decimal

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from examples.fund_load.model import MAX_AMOUNT_DIGITS, Attempt, Load

_AMOUNT = re.compile(rf" *(?:USD *\$?|\$) *([0-9]{{1,{MAX_AMOUNT_DIGITS}}}(?:\.[0-9]{{1,{MAX_AMOUNT_DIGITS}}})?) *")
_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]"
    r"([01][0-9]|2[0-3]):([0-5][0-9]):[0-5][0-9](?:\.[0-9]+)?"
    r"(?:[Zz]|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))"
)
_MINUTES_A_DAY = 24 * 60
_LAST_DAY = date.max.toordinal()


class _Line(Struct):
    """The fields of a line, not yet decoded: one that is no string does not hide the others."""

    id: Raw | UnsetType = UNSET
    customer_id: Raw | UnsetType = UNSET
    load_amount: Raw | UnsetType = UNSET
    time: Raw | UnsetType = UNSET


_decode_line = msgspec.json.Decoder(_Line).decode
_decode_text = msgspec.json.Decoder(str).decode


def read_line(line: str) -> Load:
    """Read one line, with or without its line end."""
    try:
        fields = _decode_line(line)
    except msgspec.ValidationError:
        return Load("", "", "", "", problem="not_object")
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):  # the second: a lone surrogate in the text
        return Load("", "", "", "", problem="json")
    texts = [_text(getattr(fields, name)) for name in fields.__struct_fields__]
    problem = _first_unread(fields) if None in texts else ""
    id_, customer_id, load_amount, time = (text or "" for text in texts)
    return Load(id_, customer_id, load_amount, time, problem)


def parse(load: Load) -> Attempt:
    """Read a load's amount and time."""
    if load.problem:
        return Attempt(load.id, load.customer_id, problem=load.problem)
    amount = _amount(load.load_amount)
    if amount is None:
        return Attempt(load.id, load.customer_id, problem="bad_load_amount")
    day = _day(load.time)
    if day is None:
        return Attempt(load.id, load.customer_id, problem="bad_time")
    return Attempt(load.id, load.customer_id, amount, day)


def _text(field: Raw | UnsetType) -> str | None:
    if isinstance(field, UnsetType):
        return None
    try:
        return _decode_text(field)
    except msgspec.DecodeError:
        return None


def _first_unread(fields: _Line) -> str:
    for name in fields.__struct_fields__:
        field: Raw | UnsetType = getattr(fields, name)
        if _text(field) is None:
            return f"missing_{name}" if field is UNSET else f"not_string_{name}"
    raise AssertionError("every field was read")


def _amount(text: str) -> Decimal | None:
    found = _AMOUNT.fullmatch(text)
    return None if found is None else Decimal(found[1])


def _day(text: str) -> int | None:
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    year, month, day_of_month, hour, minute, sign, offset_hours, offset_minutes = found.groups()
    try:
        day = date(int(year), int(month), int(day_of_month)).toordinal()
    except ValueError:
        return None
    if sign is not None:
        offset = int(offset_hours) * 60 + int(offset_minutes)
        utc = int(hour) * 60 + int(minute) + (-offset if sign == "+" else offset)
        day += utc // _MINUTES_A_DAY  # -1, 0 or 1
    return day if 1 <= day <= _LAST_DAY else None
