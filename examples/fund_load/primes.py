"""Tells whether an id is a prime number: exact below 3.3e24, bounded in time for any text. Pure."""

# The test to these bases is proven exact below 3,317,044,064,679,887,385,961,981 (Sorenson and Webster, 2015). Above
# it, a composite that passes has to be constructed on purpose.
_BASES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41)
MAX_DIGITS = 200  # a test this long takes a few milliseconds, and its cost grows with the cube of the digits


def is_prime_id(text: str) -> bool:
    """Tell whether an id is a prime number in decimal digits, by value: leading zeros do not count.

    An id with anything but the digits 0 to 9 is no number; one of more than `MAX_DIGITS` digits is never prime, so
    that no line of input can stop the pipe.
    """
    if not (text.isascii() and text.isdigit()):
        return False
    digits = text.lstrip("0")
    return 0 < len(digits) <= MAX_DIGITS and _is_prime(int(digits))


def _is_prime(number: int) -> bool:
    """Miller-Rabin to fixed bases."""
    if number < 2:  # noqa: PLR2004 - the definition of a prime
        return False
    for prime in _BASES:
        if number % prime == 0:
            return number == prime
    odd = number - 1
    twos = (odd & -odd).bit_length() - 1
    odd >>= twos
    return all(_passes(number, base, odd, twos) for base in _BASES)


def _passes(number: int, base: int, odd: int, twos: int) -> bool:
    power = pow(base, odd, number)
    if power in (1, number - 1):
        return True
    for _ in range(twos - 1):
        power = power * power % number
        if power == number - 1:
            return True
    return False
