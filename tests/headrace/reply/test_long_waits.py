"""Long waits: who is asked for, and when."""

from hypothesis import given
from hypothesis import strategies as st

from headrace.reply.long_waits import LongWaits


def test_a_run_is_asked_for_once_it_was_waited_for_long() -> None:
    waits = LongWaits(5, 10)
    assert waits.due(["a"], 0) == []
    assert waits.due(["a", "b"], 4) == []
    assert waits.due(["a", "b"], 5) == ["a"]
    assert waits.due(["b"], 9) == ["b"]


def test_a_few_are_asked_for_at_a_time_and_each_in_its_turn() -> None:
    waits = LongWaits(0, 2)
    assert [waits.due("abc", now) for now in range(4)] == [["a", "b"], ["c"], ["a", "b"], ["c"]]


def test_one_that_is_waited_for_anew_begins_anew() -> None:
    waits = LongWaits(5, 10)
    waits.due(["a"], 0)
    waits.due([], 4)
    assert waits.due(["a"], 6) == []


@given(st.lists(st.sets(st.integers(0, 8)), min_size=1, max_size=30), st.integers(1, 4))
def test_nobody_who_waits_on_is_passed_over_for_ever(rounds: list[set[int]], limit: int) -> None:
    waits = LongWaits(0, limit)
    waited = dict.fromkeys(range(9), 0)
    for now, waiting in enumerate(rounds):
        due = waits.due([str(one) for one in sorted(waiting)], now)
        assert len(due) == min(limit, len(due)) <= limit
        for one in waited:
            waited[one] = waited[one] + 1 if one in waiting and str(one) not in due else 0
        assert max(waited.values()) <= 18  # all others, one by one, twice
