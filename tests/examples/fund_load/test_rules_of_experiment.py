"""The experiment: prime ids and Mondays."""

from datetime import date
from decimal import Decimal

import pytest
from examples.fund_load.model import Accounts, Day
from examples.fund_load.rules import decide
from tests.examples.fund_load.attempts import MONDAY, TUESDAY, A, B, C, attempt, full_week, rules


def test_a_prime_id_over_its_amount_is_declined_before_the_sums() -> None:
    assert rules(attempt("7", "9999.01"), experiment=True) == ["prime_amount"]
    assert rules(attempt("8", "9999.01"), experiment=True) == ["daily_sum"]


def test_a_prime_id_of_exactly_its_amount_passes_that_rule() -> None:
    assert rules(attempt("7", "9999.00"), experiment=True) == ["daily_sum"]


def test_a_second_prime_id_of_a_day_is_declined_over_all_customers() -> None:
    lines = [attempt("2", "1.00"), attempt("3", "1.00"), attempt("5", "1.00", customer="x"), attempt("4", "1.00")]
    assert rules(*lines, experiment=True) == ["", "prime_slot", "prime_slot", ""]


def test_each_day_has_its_prime_slot_also_when_it_comes_back() -> None:
    lines = [attempt("2", "1.00", 4), attempt("3", "1.00", 5), attempt("5", "1.00", 4), attempt("7", "1.00", 4 + 7)]
    assert rules(*lines, experiment=True) == ["", "", "prime_slot", ""]


def test_a_declined_prime_id_leaves_the_slot_free() -> None:
    lines = [attempt("2", "9999.01"), attempt("3", "5000.01"), attempt("5", "1.00"), attempt("7", "1.00", customer="x")]
    assert rules(*lines, experiment=True) == ["prime_amount", "daily_sum", "", "prime_slot"]


def test_a_prime_id_declined_by_its_attempts_or_its_week_leaves_the_slot_free() -> None:
    over = [*(attempt(id_, "1.00") for id_ in (A, B, C)), attempt("2", "1.00"), attempt("3", "1.00", customer="x")]
    assert rules(*over, experiment=True)[3:] == ["attempts", ""]
    week = [*full_week(), attempt("2", "0.01", 8), attempt("3", "0.01", 8, customer="x")]
    assert rules(*week, experiment=True)[4:] == ["weekly_sum", ""]


def test_an_accepted_composite_id_takes_no_slot() -> None:
    assert rules(attempt("4", "1.00"), attempt("5", "1.00"), experiment=True) == ["", ""]


def test_the_amount_is_judged_before_the_slot_and_the_slot_before_the_sums() -> None:
    lines = [attempt("2", "1.00"), attempt("3", "9999.01", customer="x"), attempt("5", "9999.00", customer="x")]
    assert rules(*lines, experiment=True) == ["", "prime_amount", "prime_slot"]
    week = [attempt("2", "0.00", 8, customer="x"), *full_week(), attempt("3", "1.00", 8)]
    assert rules(*week, experiment=True)[-1] == "prime_slot"


def test_a_load_declined_by_the_slot_is_in_no_sum() -> None:
    lines = [attempt("2", "1.00", customer="x"), attempt("3", "4000.00"), attempt("4", "5000.00")]
    assert rules(*lines, experiment=True) == ["", "prime_slot", ""]


def test_a_prime_id_is_found_by_value() -> None:
    lines = [attempt("2", "1.00"), attempt("03", "1.00"), attempt("-5", "1.00"), attempt("seven", "1.00", customer="x")]
    assert rules(*lines, experiment=True) == ["", "prime_slot", "", ""]


def test_prime_ids_mean_nothing_outside_the_experiment() -> None:
    lines = [attempt("2", "1.00"), attempt("3", "1.00"), attempt("5", "9999.01")]
    assert rules(*lines, experiment=False) == ["", "", "daily_sum"]


def test_a_monday_doubles_the_amount_for_the_day() -> None:
    assert rules(attempt(A, "2500.00", MONDAY), attempt(B, "0.01", MONDAY), experiment=True) == ["", "daily_sum"]
    assert rules(attempt(A, "2500.01", MONDAY), experiment=True) == ["daily_sum"]
    assert rules(attempt(A, "1250.00", MONDAY), attempt(B, "1250.01", MONDAY), experiment=True) == ["", "daily_sum"]


def test_a_monday_doubles_the_amount_for_the_week() -> None:
    lines = [attempt(A, "2500.00", MONDAY), *full_week(days=(4, 5, 6)), attempt(B, "0.01", 7), attempt(C, "0.00", 7)]
    assert rules(*lines, experiment=True) == ["", "", "", "", "weekly_sum", ""]
    monday_last = [*full_week(days=(4, 5, 6)), attempt(A, "4000.00", 7), attempt(B, "500.01", MONDAY)]
    assert rules(*monday_last, experiment=True)[-1] == "weekly_sum"
    assert rules(*monday_last[:-1], attempt(B, "500.00", MONDAY), experiment=True)[-1] == ""


def test_a_monday_doubles_the_amount_for_prime_ids() -> None:
    assert rules(attempt("7", "4999.50", MONDAY), experiment=True) == ["daily_sum"]
    assert rules(attempt("7", "4999.51", MONDAY), experiment=True) == ["prime_amount"]
    assert rules(attempt("8", "4999.51", MONDAY), experiment=True) == ["daily_sum"]


@pytest.mark.parametrize("day", [-4, MONDAY, MONDAY + 7, MONDAY + 70])
def test_every_monday_doubles(day: int) -> None:
    assert rules(attempt(A, "2500.01", day), experiment=True) == ["daily_sum"]


@pytest.mark.parametrize("day", range(MONDAY + 1, MONDAY + 7))
def test_no_other_day_doubles(day: int) -> None:
    assert rules(attempt(A, "5000.00", day), experiment=True) == [""]


def test_a_monday_is_a_day_like_others_outside_the_experiment() -> None:
    assert rules(attempt(A, "5000.00", MONDAY), attempt(B, "0.01", MONDAY), experiment=False) == ["", "daily_sum"]


def test_the_state_holds_effective_amounts_and_only_what_was_accepted() -> None:
    accounts = Accounts()
    for each in (attempt("7", "1000.25", MONDAY), attempt(A, "4000.00", MONDAY), attempt(B, "1.00", TUESDAY)):
        decide(accounts, each, experiment=True)
    monday = date(2000, 1, 3).toordinal()
    days = {monday: Day(2, Decimal("2000.50")), monday + 1: Day(1, Decimal("1.00"))}
    assert accounts == Accounts(seen={"7", A, B}, days={"c": days}, prime_days={monday})
