"""The example against the independent reference, over generated files."""

from collections import Counter
from pathlib import Path

import msgspec
import pytest
from examples.fund_load.model import Accounts, Decision
from examples.fund_load.rules import decide
from tests.examples.fund_load.attempts import parse_line
from tests.examples.fund_load.generator import generate, write_lines
from tests.examples.fund_load.reference import Verdict, judge_all

BASELINE_RULES = {"", "malformed", "replay", "attempts", "daily_sum", "weekly_sum"}
EXPERIMENT_RULES = BASELINE_RULES | {"prime_amount", "prime_slot"}


def decide_all(lines: list[str], *, experiment: bool) -> list[Decision]:
    accounts = Accounts()
    return [decide(accounts, parse_line(text), experiment=experiment) for text in lines]


def as_verdict(decision: Decision) -> Verdict:
    return Verdict(decision.id, decision.customer_id, decision.accepted, decision.rule.partition(":")[0])


@pytest.mark.parametrize("experiment", [False, True])
@pytest.mark.parametrize("seed", range(20))
def test_every_answer_is_that_of_the_reference(seed: int, experiment: bool) -> None:
    lines = generate(400, seed)
    assert [as_verdict(each) for each in decide_all(lines, experiment=experiment)] == judge_all(
        lines, experiment=experiment
    )


@pytest.mark.parametrize("experiment", [False, True])
def test_a_long_file_has_the_answers_of_the_reference(experiment: bool) -> None:
    lines = generate(2_000, seed=77)
    assert [as_verdict(each) for each in decide_all(lines, experiment=experiment)] == judge_all(
        lines, experiment=experiment
    )


@pytest.mark.parametrize(("experiment", "rules"), [(False, BASELINE_RULES), (True, EXPERIMENT_RULES)])
def test_the_generator_hits_every_rule_often(experiment: bool, rules: set[str]) -> None:
    verdicts = [as_verdict(each) for each in decide_all(generate(4_000, seed=1), experiment=experiment)]
    hits = Counter(verdict.reason for verdict in verdicts)
    assert set(hits) == rules
    assert min(hits.values()) >= 40, hits


def test_the_generator_makes_every_kind_of_malformed_line() -> None:
    problems = {parse_line(text).problem for text in generate(4_000, seed=1)}
    fields = ("id", "customer_id", "load_amount", "time")
    assert problems == {
        *("", "json", "not_object", "bad_load_amount", "bad_time"),
        *(f"missing_{field}" for field in fields),
        *(f"not_string_{field}" for field in fields),
    }


def test_the_generator_gives_the_same_file_for_the_same_seed(tmp_path: Path) -> None:
    write_lines(tmp_path / "one", 300, seed=5)
    write_lines(tmp_path / "two", 300, seed=5)
    write_lines(tmp_path / "other", 300, seed=6)
    written = (tmp_path / "one").read_bytes()
    assert written == (tmp_path / "two").read_bytes()
    assert written != (tmp_path / "other").read_bytes()
    assert written.decode().split("\n") == [*generate(300, seed=5), ""]


@pytest.mark.parametrize("experiment", [False, True])
def test_a_state_saved_and_loaded_between_any_two_attempts_gives_the_same_decisions(experiment: bool) -> None:
    lines = generate(300, seed=3)
    accounts = Accounts()
    decisions: list[Decision] = []
    for text in lines:
        accounts = msgspec.msgpack.decode(msgspec.msgpack.encode(accounts), type=Accounts)
        decisions.append(decide(accounts, parse_line(text), experiment=experiment))
    assert decisions == decide_all(lines, experiment=experiment)
