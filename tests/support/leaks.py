"""What a test leaves behind in Redis: a key without an expiry is a leak, unless it is of a permanent kind and empty."""

from collections.abc import Collection, Iterator

from redis import Redis

NO_EXPIRY = -1
SCAN_COUNT = 1_000


def assert_no_leaks(url: str, namespace: str, *, allow: Collection[str] = ()) -> None:
    """Fail where the namespace holds a key that nothing will ever remove.

    A key with an expiry is none; nor is an empty stream that lives on with its consumer group (`stream:…`, `replies`);
    nor is a lane that only keeps its key's state; nor are a partition's `epoch` and its count `replied`; nor is its
    `admitted`, where all that were started have ended.

    Args:
        url: The server that the test used.
        namespace: The test's own; every partition of it is looked at.
        allow: The kinds that the test leaves on purpose, as `keys.py` spells them: `dead`, `scheduled`, `run`.

    Raises:
        AssertionError: Names every leaked key and what it holds.
    """
    with Redis.from_url(url, decode_responses=True) as client:
        leaks = [_describe(client, key) for key in _keys(client, namespace) if _is_leak(client, key, allow)]
    assert not leaks, "keys that nothing will remove:\n  " + "\n  ".join(sorted(leaks))


def _keys(client: Redis, namespace: str) -> Iterator[str]:
    prefix = f"{{{namespace}:"
    for key in client.scan_iter(match=f"{_literal(prefix)}*", count=SCAN_COUNT):
        yield str(key)


def _literal(text: str) -> str:
    return "".join(f"\\{letter}" if letter in "*?[]^\\" else letter for letter in text)


def _is_leak(client: Redis, key: str, allow: Collection[str]) -> bool:
    kind = _kind(key)
    if (
        kind in {"epoch", "replied"} or kind in allow or client.pttl(key) != NO_EXPIRY
    ):  # -2: it has gone in the meantime
        return False
    if kind in {"stream", "replies"}:
        return client.xlen(key) != 0
    if kind == "admitted":
        counts = {str(name): int(count) for name, count in client.hgetall(key).items()}
        started = {name.partition(":")[2]: count for name, count in counts.items() if name.startswith("started:")}
        return any(counts.get(f"ended:{pipe}", 0) != count for pipe, count in started.items())
    if kind == "lane":
        fields = {str(name) for name in client.hkeys(key)}
        return "state" not in fields or any(name.startswith("p") for name in fields)
    return True


def _kind(key: str) -> str:
    return key.partition("}:")[2].partition(":")[0]


def _describe(client: Redis, key: str) -> str:
    type_name = str(client.type(key))
    sizes = {"stream": client.xlen, "hash": client.hlen, "zset": client.zcard, "list": client.llen, "set": client.scard}
    size = sizes[type_name](key) if type_name in sizes else 1
    return f"{key} ({type_name}, {size} {'entry' if size == 1 else 'entries'})"
