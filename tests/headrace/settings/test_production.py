"""The production profile refuses what is insecure, and says all of it."""

import base64
from typing import Any

import pytest

from headrace.errors import SettingsError
from headrace.settings.production import is_loopback, require_secure
from headrace.settings.services import GatewaySettings, ReplySettings, ServiceSettings, WorkerSettings
from headrace.settings.sources import read_settings

SECURE = {
    "profile": "production",
    "bus_url": "rediss://:pw@redis.example:6379/0",
    "signing_keys": f"k1:{base64.b64encode(b'x' * 32).decode()}",
}
GATEWAY = {**SECURE, "app": "app:pipe", "api_keys_file": "keys.toml"}


def reply(**changes: Any) -> ReplySettings:
    return read_settings(ReplySettings, {**SECURE, **changes})


def gateway(**changes: Any) -> GatewaySettings:
    return read_settings(GatewaySettings, {**GATEWAY, **changes})


def refusal(settings: ServiceSettings) -> str:
    with pytest.raises(SettingsError) as refused:
        require_secure(settings)
    return str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "rediss://:pw@redis.example:6379/0",
        "rediss+sentinel://u:pw@a:26379,b:26379/master/0",
        "rediss+cluster://:pw@a:1,b:2/",
        "rediss://redis.example?password=pw",
        "redis://127.0.0.1:6379/0",
        "redis://[::1]:6379/0",
        "redis://localhost/0",
        "unix:///run/redis.sock",
        "tcp://127.0.0.1:7000",
    ],
)
def test_a_bus_of_this_machine_or_with_tls_and_a_password_is_taken(url: str) -> None:
    require_secure(reply(bus_url=url))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"bus_url": "memory://"}, "setting 'bus_url' is memory://, which is for one process"),
        ({"bus_url": "redis://:pw@redis.example/0"}, "on another host without TLS: give rediss://"),
        ({"bus_url": "redis+sentinel://:pw@127.0.0.1:1,b:2/m/0"}, "on another host without TLS: give rediss://"),
        ({"bus_url": "rediss://redis.example/0"}, "on another host without a password"),
        ({"bus_url": "rediss://:pw@redis.example/0?ssl_cert_reqs=none"}, "whose certificate nobody checks"),
    ],
)
def test_what_is_insecure_is_refused_for_every_service(changes: dict[str, Any], why: str) -> None:
    assert why in refusal(reply(**changes))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"signing_keys": None}, "setting 'signing_keys' is missing: in production envelopes are signed"),
        ({"api_keys_file": None}, "setting 'api_keys_file' is missing, as is 'jwks'"),
        ({"jwks": "http://issuer.example/jwks"}, "setting 'jwks' is fetched without TLS"),
        ({"max_runs": 0}, "setting 'max_runs' is 0: in production intake is bounded"),
    ],
)
def test_what_is_insecure_is_refused_for_the_gateway(changes: dict[str, Any], why: str) -> None:
    require_secure(gateway())
    require_secure(gateway(api_keys_file=None, jwks="https://issuer.example/jwks"))
    assert why in refusal(gateway(**changes))


def test_the_texts_of_exceptions_are_refused() -> None:
    worker = {**SECURE, "app": "app:pipe", "group": "main"}
    require_secure(read_settings(WorkerSettings, worker))
    told = refusal(read_settings(WorkerSettings, {**worker, "shows_detail": True}))
    assert told == "setting 'shows_detail' is on: in production no text of an exception is shown"


def test_the_reply_service_needs_no_keys_as_it_opens_no_envelope() -> None:
    require_secure(reply(signing_keys=None))


def test_all_mistakes_are_told_at_once_and_no_secret_with_them() -> None:
    told = refusal(gateway(signing_keys=None, bus_url="redis://:sesame@redis.example/0", api_keys_file=None))
    assert told == (
        "setting 'signing_keys' is missing: in production envelopes are signed; "
        "setting 'bus_url' is of a Redis on another host without TLS: give rediss://; "
        "setting 'api_keys_file' is missing, as is 'jwks': in production access is controlled"
    )


def test_development_takes_what_is_there() -> None:
    require_secure(gateway(profile="development", signing_keys=None, bus_url="redis://far/0", api_keys_file=None))


@pytest.mark.parametrize(
    ("host", "is_local"), [("127.8.0.1", True), ("::1", True), ("10.0.0.1", False), ("a.b", False)]
)
def test_a_host_is_this_machine_by_its_name(host: str, is_local: bool) -> None:
    assert is_loopback(host) is is_local
