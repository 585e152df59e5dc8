"""Slow hops: found by looking, told once each, forgotten with their delivery."""

from hypothesis import given
from hypothesis import strategies as st

from headrace.runtime.slow_hops import SlowHops

A, B = (0, "1-0"), (0, "2-0")


def test_a_delivery_is_slow_once_it_was_seen_for_long_and_is_told_once() -> None:
    hops = SlowHops(60)
    assert hops.look([A], 100) == []
    assert hops.look([A, B], 130) == []
    assert hops.look([A, B], 160) == [(A, 60)]
    assert hops.look([A, B], 175) == []
    assert hops.look([A, B], 190) == [(B, 60)]


def test_a_delivery_that_comes_again_after_it_was_gone_begins_anew() -> None:
    hops = SlowHops(60)
    hops.look([A], 0)
    assert hops.look([A], 60) == [(A, 60)]
    hops.look([], 70)
    assert hops.look([A], 80) == []
    assert hops.look([A], 140) == [(A, 60)]


@given(st.lists(st.sets(st.integers(0, 5)), max_size=30))
def test_none_is_told_before_its_time_or_twice_while_it_is_held(held: list[set[int]]) -> None:
    hops = SlowHops(3)
    for now, ids in enumerate(held):
        for (_, name), seconds in hops.look([(0, str(one)) for one in ids], float(now)):
            assert seconds == 3  # looked at every second, so told right then
            assert all(int(name) in earlier for earlier in held[now - 3 : now + 1])
