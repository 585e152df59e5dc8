import pytest

from headrace.bus.redis.topology import owners
from headrace.bus.redis.url import Address, parse
from headrace.errors import SettingsError


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("redis://user:secret@host:6379/3", "redis://host:6379/3"),
        ("rediss://:secret@host/0?ssl_ca_certs=ca.pem", "rediss://host/0"),
        ("unix:///run/redis.sock?db=1&password=secret", "unix:///run/redis.sock"),
        ("redis+sentinel://:secret@a:1,b:2/mill/0?sentinel_password=secret", "redis+sentinel://a:1,b:2/mill/0"),
        ("rediss+cluster://user:secret@a:1,[::1]:2/", "rediss+cluster://a:1,[::1]:2/"),
    ],
)
def test_an_address_is_named_without_what_is_secret(url: str, name: str) -> None:
    assert parse(url).name == name


def test_one_server_is_connected_to_by_its_address_as_it_is() -> None:
    url = "redis://user:secret@host:6379/3?health_check_interval=5"
    assert parse(url).node(Address("", 0)) == url


def test_the_nodes_of_a_cluster_are_connected_to_with_its_credentials_and_options() -> None:
    url = parse("rediss+cluster://user:s%40cret@a:1,[::1]:2,c/?ssl_ca_certs=ca.pem")
    assert url.hosts == (Address("a", 1), Address("::1", 2), Address("c", 6379))
    assert url.node(Address("::1", 7)) == "rediss://user:s%40cret@[::1]:7/0?ssl_ca_certs=ca.pem"


def test_a_master_and_its_sentinels_have_credentials_of_their_own() -> None:
    url = parse("rediss+sentinel://user:secret@a:1,b/mill/2?sentinel_username=guard&sentinel_password=other")
    assert url.hosts == (Address("a", 1), Address("b", 26379))
    assert url.master == "mill"
    assert url.sentinel == {"username": "guard", "password": "other", "ssl": True}
    assert url.node(Address("c", 3)) == "rediss://user:secret@c:3/2"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://host", "is no redis://"),
        ("redis+cluster:///", "is not of the form redis\\+cluster://HOST:PORT,HOST:PORT/$"),
        ("redis+cluster://a:1/3", "is not of the form"),
        ("rediss+sentinel://a:1/", "is not of the form rediss\\+sentinel://HOST:PORT,HOST:PORT/MASTER/DB"),
        ("redis+cluster://a:1,:2/", "names no server by ':2'"),
        ("redis+cluster://a:port/", "names no server by 'a:port'"),
    ],
)
def test_an_address_that_cannot_be_understood_is_refused(url: str, why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        parse(url)


def test_a_slots_owner_is_its_first_node_and_one_without_a_name_is_who_was_asked() -> None:
    answer = [[0, 9, [b"10.0.0.1", 7000, b"id"], [b"10.0.0.2", 7001, b"id"]], [11, 16383, [b"", 7002, b"id"]]]
    found = owners(answer, Address("asked", 7002))
    assert found[:10] == [Address("10.0.0.1", 7000)] * 10
    assert found[10] is None
    assert found[11:] == [Address("asked", 7002)] * (16384 - 11)
