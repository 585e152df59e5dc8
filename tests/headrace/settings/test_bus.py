import base64

import pytest

from headrace.bus.tcp.bus import TcpBus
from headrace.errors import SettingsError, SignatureError
from headrace.settings.bus import BusSettings, framing, open_bus
from headrace.settings.sources import read_settings
from headrace.wire.envelope import Framing

OLD = "old:" + base64.b64encode(b"o" * 32).decode()
NEW = "new:" + base64.b64encode(b"n" * 32).decode()


def framing_with(keys: str | None) -> Framing:
    return framing(read_settings(BusSettings, {} if keys is None else {"signing_keys": keys}))


def test_the_first_key_signs_and_all_verify() -> None:
    rotating = framing_with(f"{NEW},{OLD}")
    assert bytes(rotating.unwrap(framing_with(OLD).wrap(b"payload"))) == b"payload"
    assert bytes(framing_with(NEW).unwrap(rotating.wrap(b"payload"))) == b"payload"
    with pytest.raises(SignatureError):
        framing_with(OLD).unwrap(rotating.wrap(b"payload"))


def test_without_keys_nothing_is_signed() -> None:
    assert framing_with(None).wrap(b"payload") == b"\0payload"


@pytest.mark.parametrize("keys", ["s3cr3t", "k:s3cr3t!", f"{OLD},", f"{OLD},{OLD}", "k:czNjcjN0"])
def test_malformed_or_short_keys_are_refused_without_showing_them(keys: str) -> None:
    with pytest.raises(SettingsError, match="setting 'signing_keys'") as refused:
        framing_with(keys)
    assert not any(part in str(refused.value) for part in ("s3cr3t", "czNjcjN0", OLD))


def test_keys_and_the_address_are_not_printed() -> None:
    settings = read_settings(BusSettings, {"signing_keys": OLD, "bus_url": "redis://:s3cr3t@host"})
    assert OLD not in repr(settings)
    assert "s3cr3t" not in repr(settings)


@pytest.mark.parametrize("url", ["memory://", "http://host", "host:6379"])
def test_an_address_that_is_no_redis_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="setting 'bus_url'"):
        open_bus(read_settings(BusSettings, {"bus_url": url}))


def test_a_tcp_bus_takes_its_keys_from_the_settings() -> None:
    bus = open_bus(read_settings(BusSettings, {"bus_url": "tcp://127.0.0.1:7411", "bus_keys": f"{NEW},{OLD}"}))
    assert isinstance(bus, TcpBus)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, "'bus_keys' is missing"),
        ({"bus_keys": "k:czNjcjN0"}, "'bus_keys' has a secret under 16 bytes"),
        ({"bus_keys": OLD, "partitions": 2}, "'partitions' is over 1"),
        ({"bus_keys": OLD, "bus_url": "tcp://192.0.2.1:7411"}, "on another machine"),
        ({"bus_keys": OLD, "bus_url": "tcp://bus.example:7411"}, "on another machine"),
        ({"bus_keys": OLD, "bus_url": "tcp://127.0.0.1"}, "'bus_url' is no tcp bus"),
        ({"bus_keys": OLD, "bus_url": "tcp://:s3cr3t@127.0.0.1:1"}, "'bus_url' is no tcp bus"),
    ],
)
def test_a_tcp_bus_without_a_key_or_off_this_machine_is_refused(settings: dict[str, object], told: str) -> None:
    with pytest.raises(SettingsError, match=told) as refused:
        open_bus(read_settings(BusSettings, {"bus_url": "tcp://127.0.0.1:7411", **settings}))
    assert not any(part in str(refused.value) for part in ("s3cr3t", "czNjcjN0", OLD))
