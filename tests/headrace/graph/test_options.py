"""Words that a node returns are checked where they are made, so that the node that does is told."""

import math
from typing import Any

import pytest

from headrace import Retry, Suspend


@pytest.mark.parametrize("seconds", [math.nan, "soon", True, [1]])
def test_a_time_until_the_next_call_is_a_number_of_seconds(seconds: Any) -> None:
    with pytest.raises(ValueError, match=r"Retry\(after=.*\) must be a number of seconds"):
        Retry(after=seconds)


@pytest.mark.parametrize("until", [math.nan, None, True, [1]])
def test_what_a_call_is_suspended_for_is_a_signals_name_or_a_number_of_seconds(until: Any) -> None:
    with pytest.raises(ValueError, match=r"Suspend\(until=.*\) must be a signal's name or a number of seconds"):
        Suspend(until=until)


def test_any_number_of_seconds_will_do() -> None:
    assert [Retry(after=each).after for each in (0, 0.5, -1, math.inf)] == [0, 0.5, -1, math.inf]
    assert [Suspend(each).until for each in ("paid", 0, 0.5, math.inf)] == ["paid", 0, 0.5, math.inf]
