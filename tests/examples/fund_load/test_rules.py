"""Replays, malformed lines and attempts a day: what is judged before any amount."""

import msgspec
from examples.fund_load.model import Accounts, Attempt, Decision
from examples.fund_load.rules import decide
from tests.examples.fund_load.attempts import BOTH, A, B, C, D, E, attempt, parse_line, rules


@BOTH
def test_a_decision_names_the_attempt_and_the_rule(experiment: bool) -> None:
    accounts = Accounts()
    assert decide(accounts, attempt(A, "1.00"), experiment=experiment) == Decision(A, "c", accepted=True, rule="")
    assert decide(accounts, attempt(A, "1.00", customer="x"), experiment=experiment) == Decision(
        A, "x", accepted=False, rule="replay"
    )


@BOTH
def test_a_later_line_with_the_same_id_is_declined_for_every_customer_and_day(experiment: bool) -> None:
    again = [attempt(A, "1.00"), attempt(A, "1.00"), attempt(A, "1.00", customer="x"), attempt(A, "1.00", 20)]
    assert rules(*again, experiment=experiment) == ["", "replay", "replay", "replay"]


@BOTH
def test_a_declined_line_spends_its_id_too(experiment: bool) -> None:
    assert rules(attempt(A, "5000.01"), attempt(A, "1.00"), experiment=experiment) == ["daily_sum", "replay"]
    four = [attempt(id_, "1.00") for id_ in (A, B, C, D)]
    assert rules(*four, attempt(D, "1.00", 5), experiment=experiment)[-1] == "replay"


@BOTH
def test_a_replay_touches_no_state(experiment: bool) -> None:
    accounts = Accounts()
    decide(accounts, attempt("7", "1.00"), experiment=experiment)
    before = snapshot(accounts)
    decide(accounts, attempt("7", "1.00"), experiment=experiment)
    decide(accounts, attempt("7", "1.00", 9, customer="x"), experiment=experiment)
    assert accounts == before


@BOTH
def test_a_replay_is_no_attempt(experiment: bool) -> None:
    lines = [attempt(A, "1.00"), attempt(A, "1.00"), attempt(A, "1.00"), attempt(B, "1.00"), attempt(C, "1.00")]
    assert rules(*lines, experiment=experiment) == ["", "replay", "replay", "", ""]


@BOTH
def test_a_replay_over_the_attempts_is_called_a_replay(experiment: bool) -> None:
    four = [attempt(id_, "1.00") for id_ in (A, B, C, D)]
    assert rules(*four, attempt(A, "1.00"), experiment=experiment)[-1] == "replay"


@BOTH
def test_ids_are_compared_as_text(experiment: bool) -> None:
    lines = [attempt("04", "1.00"), attempt("4", "1.00"), attempt("004", "1.00"), attempt("04", "1.00")]
    assert rules(*lines, experiment=experiment) == ["", "", "", "replay"]


@BOTH
def test_a_malformed_line_is_declined_with_what_could_be_read_and_touches_no_state(experiment: bool) -> None:
    accounts = Accounts()
    malformed = parse_line('{"id":"1","customer_id":"c","load_amount":"$-1","time":"2000-01-04T00:00:00Z"}')
    assert decide(accounts, malformed, experiment=experiment) == Decision(
        "1", "c", accepted=False, rule="malformed:bad_load_amount"
    )
    assert decide(accounts, parse_line("nonsense"), experiment=experiment) == Decision(
        "", "", accepted=False, rule="malformed:json"
    )
    assert accounts == Accounts()


@BOTH
def test_a_malformed_line_does_not_spend_its_id_nor_an_attempt(experiment: bool) -> None:
    malformed = Attempt(A, "c", problem="bad_time")
    lines = [malformed, malformed, malformed, attempt(A, "1.00"), attempt(B, "1.00"), attempt(C, "1.00"), malformed]
    assert rules(*lines, experiment=experiment) == [*["malformed:bad_time"] * 3, "", "", "", "malformed:bad_time"]


@BOTH
def test_the_fourth_attempt_of_a_day_is_declined(experiment: bool) -> None:
    lines = [attempt(id_, "1.00") for id_ in (A, B, C, D, E)]
    assert rules(*lines, experiment=experiment) == ["", "", "", "attempts", "attempts"]


@BOTH
def test_declined_attempts_count_as_attempts(experiment: bool) -> None:
    lines = [*(attempt(id_, "5000.01") for id_ in (A, B, C)), attempt(D, "1.00")]
    assert rules(*lines, experiment=experiment) == ["daily_sum", "daily_sum", "daily_sum", "attempts"]


@BOTH
def test_attempts_are_counted_by_customer_and_by_day(experiment: bool) -> None:
    three = [attempt(id_, "1.00") for id_ in (A, B, C)]
    assert rules(*three, attempt(D, "1.00", customer="x"), attempt(E, "1.00", 5), experiment=experiment) == [""] * 5


@BOTH
def test_a_day_that_comes_back_keeps_its_attempts(experiment: bool) -> None:
    three = [attempt(id_, "1.00") for id_ in (A, B, C)]
    lines = [*three, attempt(D, "1.00", 400), attempt(E, "1.00")]
    assert rules(*lines, experiment=experiment) == ["", "", "", "", "attempts"]


def test_attempts_declined_by_the_prime_rules_count_as_attempts() -> None:
    lines = [
        attempt("2", "1.00", customer="x"),
        *(attempt(id_, dollars) for id_, dollars in (("3", "1.00"), ("5", "9999.01"), ("7", "1.00"), (A, "1.00"))),
    ]
    assert rules(*lines, experiment=True) == ["", "prime_slot", "prime_amount", "prime_slot", "attempts"]


@BOTH
def test_attempts_are_judged_before_every_other_rule(experiment: bool) -> None:
    three = [attempt(id_, "0.00") for id_ in (A, B, C)]
    lines = [attempt("2", "1.00", customer="x"), *three, attempt("3", "20000.01"), attempt("5", "1.00")]
    assert rules(*lines, experiment=experiment)[-2:] == ["attempts", "attempts"]


def snapshot(accounts: Accounts) -> Accounts:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(accounts), type=Accounts)
