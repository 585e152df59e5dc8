from headrace_supervisor.rate import Rate


def test_the_rate_is_that_of_the_last_seconds() -> None:
    rate = Rate(over_s=5.0)
    for now_s, count in ((0.0, 0), (1.0, 1000), (6.0, 1100), (7.0, 1200)):
        rate.take(count, now_s)
    assert rate.per_s(7.0) == 100.0


def test_there_is_no_rate_of_one_reading_of_old_ones_or_after_a_restart() -> None:
    rate = Rate(over_s=5.0)
    rate.take(10, 0.0)
    assert rate.per_s(0.0) == 0.0
    rate.take(20, 1.0)
    assert rate.per_s(1.0) == 10.0
    assert rate.per_s(6.5) == 0.0
    rate.forget()
    assert rate.per_s(1.0) == 0.0
