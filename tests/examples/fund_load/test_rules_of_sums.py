"""The sums of a day and of a week: limits, equality, and what is in a sum."""

import pytest
from tests.examples.fund_load.attempts import BOTH, MONDAY, A, B, C, attempt, full_week, parse_line, rules


@BOTH
@pytest.mark.parametrize(
    "dollars", [("5000.00",), ("2500.00", "2500.00"), ("0.1", "0.2", "4999.7"), ("4999.999", "0.001")]
)
def test_a_daily_sum_of_exactly_the_limit_passes(dollars: tuple[str, ...], experiment: bool) -> None:
    lines = [attempt(id_, each) for id_, each in zip((A, B, C), dollars, strict=False)]
    assert rules(*lines, experiment=experiment) == [""] * len(dollars)


@BOTH
@pytest.mark.parametrize(
    "dollars", [("5000.01",), ("2500.00", "2500.01"), ("5000", "0.00000000000000000000000000000001")]
)
def test_a_daily_sum_over_the_limit_is_declined(dollars: tuple[str, ...], experiment: bool) -> None:
    lines = [attempt(id_, each) for id_, each in zip((A, B, C), dollars, strict=False)]
    assert rules(*lines, experiment=experiment) == [*[""] * (len(dollars) - 1), "daily_sum"]


@BOTH
def test_a_declined_amount_is_in_no_sum(experiment: bool) -> None:
    lines = [attempt(A, "4000.00"), attempt(B, "1000.01"), attempt(C, "1000.00")]
    assert rules(*lines, experiment=experiment) == ["", "daily_sum", ""]


@BOTH
def test_daily_sums_are_by_customer_and_by_day(experiment: bool) -> None:
    lines = [attempt(A, "5000.00"), attempt(B, "5000.00", customer="x"), attempt(C, "5000.00", 5)]
    assert rules(*lines, experiment=experiment) == ["", "", ""]


@BOTH
def test_the_days_of_two_months_with_the_same_number_are_two_days(experiment: bool) -> None:
    assert rules(attempt(A, "5000.00", 4), attempt(B, "5000.00", 4 + 31), experiment=experiment) == ["", ""]


@BOTH
def test_a_weekly_sum_of_exactly_the_limit_passes_and_a_cent_more_is_declined(experiment: bool) -> None:
    lines = [*full_week(), attempt(A, "0.01", 8), attempt(B, "0.00", 8)]
    assert rules(*lines, experiment=experiment) == ["", "", "", "", "weekly_sum", ""]


@BOTH
def test_a_week_ends_with_its_sunday(experiment: bool) -> None:
    lines = [*full_week(), attempt(A, "0.01", 9), attempt(B, "2500.00", 10), attempt(C, "5000.00", 2)]
    assert rules(*lines, experiment=experiment)[4:] == ["weekly_sum", "", ""]


@BOTH
@pytest.mark.parametrize("outside", [2, 10])  # the Sunday before, the Monday after
def test_the_days_around_a_week_are_not_in_its_sum(outside: int, experiment: bool) -> None:
    lines = [attempt(A, "2500.00", outside), *full_week(), attempt(B, "0.01", 9)]
    assert rules(*lines, experiment=experiment) == ["", "", "", "", "", "weekly_sum"]


def test_a_week_begins_with_its_monday() -> None:
    assert rules(*full_week(), attempt(A, "0.01", 3), experiment=False)[-1] == "weekly_sum"
    monday_first = [*full_week(days=(3, 4, 5, 6)), attempt(A, "0.01", 9)]
    assert rules(*monday_first, experiment=False)[-1] == "weekly_sum"


@BOTH
def test_a_week_crosses_the_new_year(experiment: bool) -> None:
    december = [attempt(f"d{day}", "5000.00", day) for day in (-3, -2, -1, 0)]  # 28 to 31 December 1999
    assert rules(*december, attempt(A, "0.01", 1), attempt(B, "0.01", 3), experiment=experiment)[4:] == [
        "weekly_sum",
        "",
    ]


@BOTH
def test_the_weeks_of_two_years_with_the_same_number_are_two_weeks(experiment: bool) -> None:
    assert rules(*full_week(), attempt(A, "5000.00", 4 + 52 * 7), experiment=experiment)[-1] == ""


@BOTH
def test_a_weekly_sum_counts_days_that_come_out_of_order(experiment: bool) -> None:
    lines = [*full_week(days=(9, 5, 8, 6)), attempt(A, "5000.00", 400), attempt(B, "0.01", 4)]
    assert rules(*lines, experiment=experiment)[-1] == "weekly_sum"


@BOTH
def test_weekly_sums_are_by_customer(experiment: bool) -> None:
    assert rules(*full_week(), attempt(A, "5000.00", 8, customer="x"), experiment=experiment)[-1] == ""


@BOTH
def test_an_amount_declined_by_the_week_is_in_no_sum(experiment: bool) -> None:
    lines = [*full_week(days=(4, 5, 6)), attempt(A, "4000.00", 7), attempt(B, "1000.01", 8), attempt(C, "1000.00", 8)]
    assert rules(*lines, experiment=experiment)[3:] == ["", "weekly_sum", ""]


@BOTH
def test_an_amount_declined_by_the_day_is_not_in_the_week(experiment: bool) -> None:
    lines = [attempt(A, "5000.01", 4), attempt(B, "20000.00", 5), *full_week(days=(6, 7, 8, 9))]
    assert rules(*lines, experiment=experiment) == ["daily_sum", "daily_sum", "", "", "", ""]


@BOTH
def test_the_day_is_judged_before_the_week(experiment: bool) -> None:
    assert rules(*full_week(), attempt(A, "5000.01", 8), experiment=experiment)[-1] == "daily_sum"


@BOTH
def test_the_largest_and_the_finest_amounts_are_summed_exactly(experiment: bool) -> None:
    finest, largest = f"0.{'0' * 31}1", f"{'9' * 32}.{'9' * 32}"
    lines = [attempt(A, f"4999.{'9' * 32}", 5), attempt(B, finest, 5), attempt(C, finest, 5)]
    assert rules(*lines, experiment=experiment) == ["", "", "daily_sum"]
    lines = [attempt(A, finest, MONDAY), attempt("7", largest, MONDAY)]
    assert rules(*lines, experiment=experiment)[-1] == ("prime_amount" if experiment else "daily_sum")


@BOTH
@pytest.mark.parametrize("time", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_the_first_and_the_last_day_of_the_calendar_are_judged(time: str, experiment: bool) -> None:
    line = f'{{"id":"1","customer_id":"c","load_amount":"$1.00","time":"{time}"}}'
    assert rules(parse_line(line), experiment=experiment) == [""]
