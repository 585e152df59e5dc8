import pytest
from examples.fund_load.primes import MAX_DIGITS, is_prime_id


def test_small_ids_agree_with_trial_division() -> None:
    found = [number for number in range(5_000) if is_prime_id(str(number))]
    assert found == [n for n in range(2, 5_000) if all(n % divisor for divisor in range(2, int(n**0.5) + 1))]


@pytest.mark.parametrize("text", ["2147483647", "2305843009213693951", "3317044064679887385962123", str(2**127 - 1)])
def test_large_primes_are_found(text: str) -> None:
    assert is_prime_id(text)


@pytest.mark.parametrize(
    "text",
    [
        "561",  # Carmichael
        "3215031751",  # passes to the bases 2, 3, 5 and 7
        "3825123056546413051",  # passes to the bases up to 23
        "318665857834031151167461",  # passes to the bases up to 37
        str((2**61 - 1) * (2**31 - 1)),
    ],
)
def test_composites_that_fool_weaker_tests_are_not_prime(text: str) -> None:
    assert not is_prime_id(text)


@pytest.mark.parametrize(
    "text", ["", "0", "00", "1", "-7", "+7", " 7", "7 ", "7.0", "7_7", "0x7", "seven", "\uff17", "²", "\u0667"]
)
def test_what_is_no_decimal_number_is_not_prime(text: str) -> None:
    assert not is_prime_id(text)


def test_an_id_counts_by_value() -> None:
    assert is_prime_id("007")
    assert is_prime_id("0" * 10_000 + "7")


def test_an_id_over_the_bound_is_not_prime_and_costs_no_time() -> None:
    mersenne = str(2**607 - 1)  # a prime of 183 digits
    assert len(mersenne) <= MAX_DIGITS
    assert is_prime_id(mersenne)
    assert not is_prime_id(str(2**1279 - 1))  # a prime of 386 digits
    assert not is_prime_id("9" * 1_000_000)
