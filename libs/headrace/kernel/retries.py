"""When a failed call is tried again. Pure: randomness comes in."""

from collections.abc import Callable

from headrace.graph.options import Retry

_MAX_DOUBLINGS = 64  # of a backoff: past these any wait is over its bound, and the number would outgrow a float


def retry_in_s(retry: Retry | None, error: Exception, attempt: int, random: Callable[[], float]) -> float | None:
    """Give the seconds until the next call, None where there is none.

    Args:
        retry: The node's; None for no retries.
        attempt: The call that failed, 1 for the first.
        random: Gives a number from 0 to 1, for the jitter.
    """
    if retry is None or attempt >= retry.attempts or not isinstance(error, retry.on):
        return None
    wait_s: float = min(retry.backoff * 2 ** min(attempt - 1, _MAX_DOUBLINGS), retry.max_backoff)
    return wait_s * (1 - retry.jitter * random())
