import pytest

from headrace_gateway.slow_readers import Seen, is_too_slow


@pytest.mark.parametrize(
    ("before", "now", "too_slow"),
    [
        (Seen(5000, 100), Seen(5000, 100), True),
        (Seen(5000, 100), Seen(4001, 1099), True),
        (Seen(5000, 100), Seen(4000, 1100), False),
        (Seen(5000, 100), Seen(6000, 9000), False),
        (Seen(10, 100), Seen(20, 110), False),
        (Seen(10, 100), Seen(20, 109), True),
    ],
    ids=["nothing", "a little", "enough", "refilled", "all that was left", "not even the rest"],
)
def test_a_reader_is_too_slow_that_takes_less_than_the_least_and_less_than_was_left(
    before: Seen, now: Seen, too_slow: bool
) -> None:
    assert is_too_slow(before, now, least_bytes=1000) is too_slow
