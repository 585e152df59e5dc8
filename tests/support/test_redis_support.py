"""The tests' own tools: servers that can be killed and paused, and the leak check, which must be able to fail."""

import pytest
from redis import Redis
from redis.exceptions import TimeoutError as RedisTimeoutError
from tests.support.leaks import assert_no_leaks
from tests.support.redis_server import RedisServer, answers


def tag(namespace: str, key: str) -> str:
    return f"{{{namespace}:0}}:{key}"


def test_the_provided_server_answers(redis_url: str) -> None:
    assert answers(redis_url)


@pytest.mark.slow
def test_a_killed_server_remembers_what_it_answered(own_redis: RedisServer) -> None:
    with Redis.from_url(own_redis.url) as client:
        client.set("kept", "1")
    own_redis.kill()
    assert not answers(own_redis.url)
    own_redis.start()
    with Redis.from_url(own_redis.url) as client:
        assert client.get("kept") == b"1"


@pytest.mark.slow
def test_a_paused_server_answers_when_it_goes_on(own_redis: RedisServer) -> None:
    with Redis.from_url(own_redis.url, socket_timeout=0.05) as client:
        client.ping()
        own_redis.pause()
        with pytest.raises(RedisTimeoutError):
            client.ping()
        own_redis.resume()
    assert answers(own_redis.url)


def test_a_clean_namespace_passes_the_leak_check(redis_url: str, namespace: str) -> None:
    with Redis.from_url(redis_url) as client:
        client.xgroup_create(tag(namespace, "stream:pipe.group"), "workers", mkstream=True)
        client.xgroup_create(tag(namespace, "replies"), "coordinators", mkstream=True)
        client.hset(tag(namespace, "lane:pipe.node.key"), mapping={"last": "1", "state": "x"})
        client.set(tag(namespace, "run:1"), "x", px=60_000)
        client.set(tag(f"{namespace}-other", "run:1"), "x", px=60_000)
    assert_no_leaks(redis_url, namespace)


@pytest.mark.parametrize(
    ("key", "fields"),
    [
        ("run:1", {"state": "completed"}),
        ("joins:1", {"join/a": "x"}),
        ("waiters", {"1": "inbox"}),
        ("lane:pipe.node.key", {"last": "1"}),
        ("lane:pipe.node.key", {"last": "1", "state": "x", "p1": "frame"}),
    ],
)
def test_a_key_that_nothing_removes_is_a_leak(redis_url: str, namespace: str, key: str, fields: dict[str, str]) -> None:
    with Redis.from_url(redis_url) as client:
        client.hset(tag(namespace, key), mapping=dict(fields))
    with pytest.raises(AssertionError, match=r"keys that nothing will remove:\n  .*" + key):
        assert_no_leaks(redis_url, namespace)


@pytest.mark.parametrize("key", ["stream:pipe.group", "replies", "dead:pipe.group"])
def test_a_stream_with_entries_is_a_leak_unless_it_is_allowed(redis_url: str, namespace: str, key: str) -> None:
    with Redis.from_url(redis_url) as client:
        client.xadd(tag(namespace, key), {"frame": "x"})
    with pytest.raises(AssertionError, match=key):
        assert_no_leaks(redis_url, namespace)
    assert_no_leaks(redis_url, namespace, allow=[key.partition(":")[0]])
