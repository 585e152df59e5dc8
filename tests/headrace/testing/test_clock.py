"""The manual clock: it goes on when it is told to, and never back."""

import pytest

from headrace.kernel.clock import Clock
from headrace.testing.clock import ManualClock


def test_time_stands_still_until_it_is_told_to_pass() -> None:
    clock: Clock = (manual := ManualClock(now=100.0))
    assert (clock.now(), clock.monotonic()) == (100.0, 0.0)
    manual.advance(2.5)
    assert (clock.now(), clock.monotonic()) == (102.5, 2.5)


def test_time_does_not_go_back() -> None:
    with pytest.raises(ValueError, match=r"^a clock does not go back; got -1 s$"):
        ManualClock().advance(-1)
