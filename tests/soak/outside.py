"""Looks at a soak from outside: at what Redis counts and keeps, past the bus."""

from contextlib import suppress

import msgspec
from redis import Redis
from tests.soak.pipe import NAME, Sum
from tests.support.leaks import assert_no_leaks

from headrace.bus.redis.keys import Keys
from headrace.testing.wait import wait_until_sync
from headrace.wire.envelope import Framing

_SETTLE_S = 30.0
_KEPT = ("dead", "control")  # dead letters are for an operator; what was abandoned in the last two minutes


class Outside:
    """A deployment's keys.

    Args:
        url: The server; Redis 7 or later, which counts what was ever added to a stream.
        namespace: With one partition.
    """

    def __init__(self, url: str, namespace: str) -> None:
        self._url = url
        self._namespace = namespace
        self._keys = Keys(namespace, 0)

    def terminals(self) -> int:
        """Count the terminal events that there have ever been."""
        with Redis.from_url(self._url) as redis:
            return _ever_added(redis, self._keys.replies) + int(redis.get(self._keys.replied) or 0)

    def told(self) -> int:
        """Count the events that have ever been put into an inbox."""
        with Redis.from_url(self._url) as redis:
            return sum(_ever_added(redis, inbox) for inbox in _matching(redis, self._keys.inbox("*")))

    def dead_letters(self) -> int:
        """Count the dead letters."""
        with Redis.from_url(self._url) as redis:
            return sum(int(redis.xlen(stream)) for stream in _matching(redis, self._keys.dead("*")))

    def entries(self) -> int:
        """Count the entries that have ever been in a group's stream; one of a lane may hold several messages."""
        with Redis.from_url(self._url) as redis:
            return sum(_ever_added(redis, stream) for stream in _matching(redis, self._keys.stream("*")))

    def sums(self, node: str) -> dict[tuple[str, str], tuple[int, int]]:
        """Read what a keyed node of the drawn pipeline remembers, by node and key."""
        first, _, _ = self._keys.lane(f"{NAME}.{node}.*", "")
        with Redis.from_url(self._url) as redis:
            stored = {lane.decode().rpartition(".")[2]: redis.hget(lane, "state") for lane in _matching(redis, first)}
        states = {
            key: msgspec.msgpack.decode(Framing().unwrap(state), type=Sum) for key, state in stored.items() if state
        }
        return {(node, key): (state.total, state.count) for key, state in states.items()}

    def assert_nothing_is_left(self) -> None:
        """Check that nothing is under way, waits, or stays for ever, but the states of lanes and dead letters."""
        with suppress(AssertionError):  # the check after it names what is left
            wait_until_sync(self._is_clean, timeout_s=_SETTLE_S, description="nothing is left in Redis")
        assert_no_leaks(self._url, self._namespace, allow=_KEPT)
        with Redis.from_url(self._url) as redis:
            pending = {
                stream: group["pending"]
                for stream in (*_matching(redis, self._keys.stream("*")), self._keys.replies.encode())
                for group in redis.xinfo_groups(stream)
            }
        assert set(pending.values()) <= {0}, f"entries in the hands of workers: {pending}"

    def _is_clean(self) -> bool:
        try:
            assert_no_leaks(self._url, self._namespace, allow=_KEPT)
        except AssertionError:
            return False
        return True


def _matching(redis: Redis, pattern: str) -> set[bytes]:
    return set(redis.scan_iter(match=pattern, count=10_000))  # a scan may give a key twice, while others go


def _ever_added(redis: Redis, stream: str | bytes) -> int:
    return int(redis.xinfo_stream(stream)["entries-added"]) if redis.exists(stream) else 0
