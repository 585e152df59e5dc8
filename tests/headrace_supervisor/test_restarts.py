from headrace_supervisor.ending import Ending
from headrace_supervisor.restarts import RestartPolicy, Restarts

POLICY = RestartPolicy(first_s=1.0, longest_s=5.0, early_s=10.0, crash_limit=5)
EARLY = Ending(1, was_ready=False)
SOON = Ending(-9, was_ready=True, lived_s=9.0)
LATE = Ending(-9, was_ready=True, lived_s=11.0)


def test_the_pauses_double_up_to_the_longest_and_then_a_place_is_given_up() -> None:
    restarts = Restarts(POLICY)
    assert [restarts.after(EARLY) for _ in range(5)] == [1.0, 2.0, 4.0, 5.0, None]


def test_a_child_that_dies_soon_after_it_was_ready_has_died_early_too() -> None:
    restarts = Restarts(POLICY)
    assert [restarts.after(ending) for ending in (EARLY, SOON, EARLY, SOON, EARLY)] == [1.0, 2.0, 4.0, 5.0, None]


def test_a_child_that_worked_for_a_while_ends_the_series() -> None:
    restarts = Restarts(POLICY)
    deaths = (EARLY, EARLY, EARLY, EARLY, LATE, EARLY, EARLY)
    assert [restarts.after(ending) for ending in deaths] == [1.0, 2.0, 4.0, 5.0, 1.0, 1.0, 2.0]


def test_what_a_child_refuses_to_start_with_it_would_refuse_again() -> None:
    assert Restarts(POLICY).after(Ending(2, was_ready=False)) is None
    assert Restarts(POLICY).after(Ending(2, was_ready=True)) == 1.0


def test_an_ending_is_worded_with_its_code_or_signal() -> None:
    assert str(Ending(3, was_ready=True)) == "ended with exit code 3"
    assert str(Ending(-9, was_ready=False)) == "was ended by SIGKILL before it was ready"
    assert str(Ending(-9, was_ready=True, because="was silent for 3 s and was killed")) == (
        "was silent for 3 s and was killed"
    )
