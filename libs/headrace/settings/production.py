"""The production profile: refuses settings that are fit for development only, and says all of them at once. Pure."""

from collections.abc import Callable, Iterator
from ipaddress import ip_address
from urllib.parse import parse_qsl, urlsplit

from headrace.errors import SettingsError
from headrace.settings.bus import MEMORY
from headrace.settings.services import FailureSettings, GatewaySettings, ReplySettings, ServiceSettings

_Mistake = tuple[str, str]


def require_secure(settings: ServiceSettings) -> None:
    """Refuse insecure settings of a service in the production profile.

    Raises:
        SettingsError: Some are; it names each.
    """
    if settings.profile != "production":
        return
    mistakes = [mistake for check in _CHECKS for mistake in check(settings)]
    if mistakes:
        (first, why), *others = mistakes
        raise SettingsError(first, why + "".join(f"; setting '{name}' {why}" for name, why in others))


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine, by its name alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _signing(settings: ServiceSettings) -> Iterator[_Mistake]:
    if settings.signing_keys is None and not isinstance(settings, ReplySettings):  # which opens no envelope
        yield "signing_keys", "is missing: in production envelopes are signed"


def _bus(settings: ServiceSettings) -> Iterator[_Mistake]:
    url = settings.bus_url
    if url.startswith(MEMORY):
        yield "bus_url", f"is {MEMORY}, which is for one process"
        return
    if not url.startswith(("redis", "valkey")):
        return  # a socket of this machine
    scheme, _, rest = url.partition("://")
    where, _, query = rest.partition("?")
    credentials, _, places = where.partition("/")[0].rpartition("@")
    options = dict(parse_qsl(query))
    hosts = [urlsplit(f"//{place}").hostname or "localhost" for place in places.split(",")]
    if all(map(is_loopback, hosts)):
        return
    if not scheme.startswith("rediss"):
        yield "bus_url", "is of a Redis on another host without TLS: give rediss://"
    if options.get("ssl_cert_reqs") == "none":
        yield "bus_url", "is of a Redis whose certificate nobody checks: leave ssl_cert_reqs out"
    if not credentials.partition(":")[2] and not options.get("password"):
        yield "bus_url", "is of a Redis on another host without a password"


def _access(settings: ServiceSettings) -> Iterator[_Mistake]:
    if not isinstance(settings, GatewaySettings):
        return
    if settings.api_keys_file is None and settings.jwks is None:
        yield "api_keys_file", "is missing, as is 'jwks': in production access is controlled"
    jwks = urlsplit(settings.jwks or "")
    if jwks.scheme == "http" and not is_loopback(jwks.hostname or ""):
        yield "jwks", "is fetched without TLS: give https://"
    if settings.max_runs == 0:
        yield "max_runs", "is 0: in production intake is bounded"


def _failures(settings: ServiceSettings) -> Iterator[_Mistake]:
    if isinstance(settings, FailureSettings) and settings.shows_detail:
        yield "shows_detail", "is on: in production no text of an exception is shown"


_CHECKS: tuple[Callable[[ServiceSettings], Iterator[_Mistake]], ...] = (_signing, _bus, _access, _failures)
