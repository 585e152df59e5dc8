import pytest

from headrace_gateway.client_rate import ClientRate
from headrace_gateway.drain import Drain


def drained(*looks: tuple[float, int]) -> Drain:
    drain = Drain()
    for now_s, done in looks:
        drain.look(done, now_s)
    return drain


@pytest.mark.parametrize(
    ("looks", "seconds"),
    [
        ([], 1),
        ([(0.0, 0)], 1),
        ([(0.0, 0), (2.0, 100)], 2),
        ([(0.0, 0), (2.0, 10_000)], 1),
        ([(0.0, 0), (2.0, 0)], 60),
        ([(0.0, 0), (2.0, 1)], 60),
        ([(0.0, 0), (0.5, 100), (2.0, 200)], 1),
        ([(0.0, 0), (500.0, 100)], 1),
        ([(0.0, 0), (2.0, 1_000), (4.0, 1_050)], 4),
    ],
)
def test_when_to_come_again_follows_the_latest_rate(looks: list[tuple[float, int]], seconds: int) -> None:
    assert drained(*looks).retry_after_s(100) == seconds


def test_a_client_has_its_burst_and_then_its_rate() -> None:
    rate = ClientRate(per_s=2, burst=3)
    assert [rate.take("a", 0.0) for _ in range(4)] == [0, 0, 0, 0.5]
    assert rate.take("b", 0.0) == 0, "another client has its own"
    assert [rate.take("a", 0.5), rate.take("a", 0.5)] == [0, 0.5]
    assert [rate.take("a", 100.0) for _ in range(4)] == [0, 0, 0, 0.5], "no more than a burst is saved up"
    assert rate.refused == 3


def test_clients_beyond_number_are_not_all_remembered() -> None:
    rate = ClientRate(per_s=1, burst=1)
    for number in range(10_001):
        rate.take(str(number), 0.0)
    assert len(rate) == 10_000
    assert rate.take("10000", 0.0) == 1
