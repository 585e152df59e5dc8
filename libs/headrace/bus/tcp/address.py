"""The address of a tcp bus: `tcp://HOST:PORT`, on this machine."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from msgspec import Struct

from headrace.errors import SettingsError

SCHEME = "tcp"
_NOT_HERE = (
    "is a tcp bus on another machine: its frames are authenticated and not encrypted, so it is for one machine; "
    "give tcp://127.0.0.1:PORT, or a Redis"
)


class Address(Struct, frozen=True):
    """Where a broker listens; port 0 has the system choose one."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{SCHEME}://{host}:{self.port}"


def parse(url: str) -> Address:
    """Read an address.

    Raises:
        SettingsError: It is none, or of another machine.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        has_more = parts.username or parts.password or parts.query or parts.fragment or parts.path.strip("/")
    except ValueError:
        raise SettingsError("bus_url", "cannot be understood") from None
    if parts.scheme != SCHEME or not host or port is None or has_more:
        raise SettingsError("bus_url", "is no tcp bus; give tcp://127.0.0.1:PORT")
    return checked(Address(host, port))


def checked(address: Address) -> Address:
    """Give an address as it is.

    Raises:
        SettingsError: It is of another machine.
    """
    if address.host != "localhost" and not _is_loopback(address.host):
        raise SettingsError("bus_url", _NOT_HERE)
    return address


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
