"""The bus's clock: the machine's steady clock, moved to where the bus says it is."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.kernel.clock import BusClock


@dataclass
class HandClock:
    wall_s: float = 1000.0
    steady_s: float = 5.0

    def now(self) -> float:
        return self.wall_s

    def monotonic(self) -> float:
        return self.steady_s


def test_until_it_is_set_it_goes_by_the_machines_time_of_day() -> None:
    local = HandClock()
    clock = BusClock(local)
    local.steady_s += 2.0
    assert (clock.now(), clock.monotonic()) == (1002.0, 7.0)


def test_once_set_it_is_the_buss_time_whatever_the_machines_time_of_day_does() -> None:
    local = HandClock()
    clock = BusClock(local)
    clock.sync(now_ms=500_250, at_s=4.0)
    assert clock.now() == pytest.approx(501.25)
    local.wall_s += 3600.0
    assert clock.now() == pytest.approx(501.25)


@given(st.floats(-1e9, 1e9), st.integers(0, 4_000_000_000_000), st.floats(0, 1e6), st.floats(0, 1e6))
def test_it_goes_on_with_the_steady_clock_from_what_it_was_set_to(
    wall_s: float, now_ms: int, at_s: float, later_s: float
) -> None:
    local = HandClock(wall_s, at_s)
    clock = BusClock(local)
    clock.sync(now_ms, at_s)
    local.steady_s += later_s
    assert clock.now() == pytest.approx(now_ms / 1000 + later_s, abs=1e-3)
