import json
from datetime import date
from decimal import Decimal

import msgspec
import pytest
from examples.fund_load.model import MAX_AMOUNT_DIGITS, Attempt
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.examples.fund_load.attempts import parse_line
from tests.examples.fund_load.malformed import AMOUNTS, FIELDS, NOT_JSON, NOT_OBJECTS, NOT_STRINGS, TIMES

GOOD = {"id": "7", "customer_id": "c", "load_amount": "$1.00", "time": "2000-01-03T00:00:00Z"}


def parse_with(**changes: object) -> Attempt:
    return parse_line(json.dumps({**GOOD, **changes}))


def test_a_line_becomes_an_attempt() -> None:
    text = '{"id":"15887","customer_id":"528","load_amount":"$3318.47","time":"2000-01-01T00:00:00Z"}'
    assert parse_line(text) == Attempt("15887", "528", Decimal("3318.47"), date(2000, 1, 1).toordinal())


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "  "])
def test_a_line_end_belongs_to_no_field(end: str) -> None:
    assert parse_line(json.dumps(GOOD) + end) == parse_line(json.dumps(GOOD))
    assert parse_line(json.dumps(GOOD) + end).problem == ""


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("$3318.47", "3318.47"),
        ("USD$3318.47", "3318.47"),
        ("USD 3318.47", "3318.47"),
        ("USD3318.47", "3318.47"),
        ("USD $3318.47", "3318.47"),
        ("  USD  $  3318.47  ", "3318.47"),
        ("$ 3318.47 ", "3318.47"),
        ("$3318", "3318"),
        ("$3318.4", "3318.4"),
        ("$003318.47", "3318.47"),
        ("$0.00", "0"),
        ("$0.1", "0.1"),
        ("$5000.001", "5000.001"),
        (
            f"${'9' * MAX_AMOUNT_DIGITS}.{'9' * MAX_AMOUNT_DIGITS}",
            f"{'9' * MAX_AMOUNT_DIGITS}.{'9' * MAX_AMOUNT_DIGITS}",
        ),
    ],
)
def test_an_amount_is_read_exactly_in_every_form(text: str, amount: str) -> None:
    attempt = parse_with(load_amount=text)
    assert (attempt.problem, attempt.amount) == ("", Decimal(amount))


@pytest.mark.parametrize(
    "text", [*AMOUNTS, f"${'9' * (MAX_AMOUNT_DIGITS + 1)}", f"$0.{'0' * MAX_AMOUNT_DIGITS}1", f"${'9' * 1_000_000}"]
)
def test_an_amount_of_another_form_is_malformed(text: str) -> None:
    assert parse_with(load_amount=text) == Attempt("7", "c", problem="bad_load_amount")


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2000-01-03T00:00:00Z", date(2000, 1, 3)),
        ("2000-01-03T23:59:59Z", date(2000, 1, 3)),
        ("2000-01-03t12:00:00z", date(2000, 1, 3)),
        ("2000-01-03T12:00:00+00:00", date(2000, 1, 3)),
        ("2000-01-03T12:00:00-00:00", date(2000, 1, 3)),
        ("2000-01-03T23:59:59.999999999999Z", date(2000, 1, 3)),
        ("2000-01-03T00:00:00.0+00:00", date(2000, 1, 3)),
        ("2000-02-29T00:00:00Z", date(2000, 2, 29)),
        ("2000-01-03T00:29:59+00:30", date(2000, 1, 2)),
        ("2000-01-03T00:30:00+00:30", date(2000, 1, 3)),
        ("2000-01-03T23:29:59-00:30", date(2000, 1, 3)),
        ("2000-01-03T23:30:00-00:30", date(2000, 1, 4)),
        ("2000-01-01T00:00:00+23:59", date(1999, 12, 31)),
        ("0001-01-01T00:00:00Z", date.min),
        ("9999-12-31T23:59:59Z", date.max),
    ],
)
def test_a_time_gives_its_utc_date(text: str, day: date) -> None:
    assert parse_with(time=text) == Attempt("7", "c", Decimal("1.00"), day.toordinal())


@pytest.mark.parametrize("text", TIMES)
def test_a_time_of_another_form_or_out_of_the_calendar_is_malformed(text: str) -> None:
    assert parse_with(time=text) == Attempt("7", "c", problem="bad_time")


@pytest.mark.parametrize(
    "text", [*NOT_JSON, "[" * 100_000 + "x", '{"id":' * 100_000, "\ud800", '{"id":"7","x":"\ud800"}']
)
def test_a_line_that_is_no_json_has_no_id(text: str) -> None:
    attempt = parse_line(text)
    assert attempt in (Attempt("", "", problem="json"), Attempt("", "", problem="not_object"))
    assert attempt.problem == "json" or text.startswith("[")


@pytest.mark.parametrize("text", NOT_OBJECTS)
def test_a_line_that_is_no_object_has_no_id(text: str) -> None:
    assert parse_line(text) == Attempt("", "", problem="not_object")


@pytest.mark.parametrize("field", FIELDS)
def test_a_missing_field_is_named_and_the_others_are_kept(field: str) -> None:
    text = json.dumps({name: value for name, value in GOOD.items() if name != field})
    kept = {**GOOD, field: ""}
    assert parse_line(text) == Attempt(kept["id"], kept["customer_id"], problem=f"missing_{field}")


@pytest.mark.parametrize("value", NOT_STRINGS)
@pytest.mark.parametrize("field", FIELDS)
def test_a_field_that_is_no_string_is_named_and_the_others_are_kept(field: str, value: object) -> None:
    kept = {**GOOD, field: ""}
    assert parse_with(**{field: value}) == Attempt(kept["id"], kept["customer_id"], problem=f"not_string_{field}")


def test_the_first_problem_in_the_order_of_the_fields_is_named() -> None:
    assert parse_line("{}").problem == "missing_id"
    assert parse_line('{"id":"1","load_amount":1}').problem == "missing_customer_id"
    assert parse_with(load_amount="x", time="x").problem == "bad_load_amount"


@pytest.mark.parametrize("value", NOT_STRINGS)
def test_another_field_may_hold_anything(value: object) -> None:
    assert parse_with(note=value) == parse_line(json.dumps(GOOD))


def test_ids_are_kept_as_written() -> None:
    assert parse_with(id=" 07 ", customer_id="é\n").id == " 07 "
    assert parse_with(id="", customer_id="é\n") == Attempt("", "é\n", Decimal("1.00"), date(2000, 1, 3).toordinal())


@settings(deadline=None)
@given(
    st.text(st.characters()) | st.builds(json.dumps, st.recursive(st.text() | st.floats() | st.integers(), st.lists))
)
@example("\ud800")
def test_parse_gives_an_attempt_for_any_text(text: str) -> None:
    assert survives_the_wire(parse_line(text))


FIELD_VALUES = (
    st.text(st.characters())
    | st.sampled_from([*AMOUNTS, *TIMES, *GOOD.values()])
    | st.none()
    | st.integers()
    | st.floats()
    | st.from_regex(r" ?(USD)? ?\$?-?[0-9]{1,40}(\.[0-9]{0,40})? ?")
    | st.from_regex(
        r"[0-9]{4}-[0-3][0-9]-[0-3][0-9][Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]*)?(Z|[+-][0-9]{2}:[0-9]{2})"
    )
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(FIELDS) | st.text(), FIELD_VALUES, min_size=3), st.booleans())
def test_parse_gives_an_attempt_for_any_object(fields: dict[str, object], ascii_only: bool) -> None:
    assert survives_the_wire(parse_line(json.dumps(fields, ensure_ascii=ascii_only)))


def survives_the_wire(attempt: Attempt) -> bool:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(attempt), type=Attempt) == attempt
