"""Where a bus is: its address taken apart. Pure; a name that may be shown never has credentials in it.

| form | means |
| --- | --- |
| `redis://[user:password@]host:port/db`, `rediss://…` with TLS, `unix://…` | one server |
| `redis+sentinel://[user:password@]host:port,…/master/db`, `rediss+sentinel://…` | the master the sentinels name |
| `redis+cluster://[user:password@]host:port,…/`, `rediss+cluster://…` | a cluster; any of its nodes will do |

User and password are the servers'; those of the sentinels, where they have any, are `?sentinel_username=…` and
`?sentinel_password=…`. Other options are the client library's.
"""

from typing import Literal, NamedTuple
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from msgspec import Struct

from headrace.errors import SettingsError

SCHEMES = (
    *("redis", "rediss", "unix"),
    *("redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster"),
)
_WRONG = "is no redis://, rediss://, unix://, redis+sentinel:// or redis+cluster:// address"
_SENTINEL = "sentinel_"
_PORTS = {"sentinel": 26379, "cluster": 6379}


class Address(NamedTuple):
    """Where a server listens."""

    host: str
    port: int

    def __str__(self) -> str:
        """Spell it as in an address."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class BusUrl(Struct, frozen=True):
    """An address of the bus, taken apart; show its `name`, never the rest.

    Attributes:
        name: Without credentials.
        kind: One server, or how the servers are found.
        hosts: Sentinels, or nodes of the cluster to begin with; empty for one server.
        master: The name that sentinels have for the master.
        sentinel: What the sentinels are connected to with.
    """

    name: str
    kind: Literal["server", "sentinel", "cluster"]
    hosts: tuple[Address, ...]
    master: str
    sentinel: dict[str, str | bool]
    whole: str
    before: str
    after: str

    def node(self, at: Address) -> str:
        """Spell the address of one server, with credentials and options."""
        return self.whole if self.kind == "server" else f"{self.before}{at}{self.after}"


def parse(url: str) -> BusUrl:
    """Take an address apart.

    Raises:
        SettingsError: It cannot be understood.
    """
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES:
        raise SettingsError("bus_url", _WRONG)
    scheme, _, how = parts.scheme.partition("+")
    credentials, _, netloc = parts.netloc.rpartition("@")
    name = f"{parts.scheme}://{netloc}{parts.path}"
    if how not in ("sentinel", "cluster"):
        return BusUrl(name, "server", (), "", {}, url, "", "")
    master, _, database = parts.path.strip("/").partition("/")
    if not netloc or (how == "cluster" and master) or (how == "sentinel" and not master):
        raise SettingsError("bus_url", f"is not of the form {_form(parts.scheme)}")
    options = dict(parse_qsl(parts.query))
    sentinel: dict[str, str | bool] = {
        option.removeprefix(_SENTINEL): options.pop(option) for option in list(options) if option.startswith(_SENTINEL)
    }
    if scheme == "rediss":
        sentinel["ssl"] = True
    return BusUrl(
        name,
        "sentinel" if how == "sentinel" else "cluster",
        tuple(_address(host, _PORTS[how]) for host in netloc.split(",")),
        unquote(master),
        sentinel,
        url,
        f"{scheme}://{credentials}@" if credentials else f"{scheme}://",
        f"/{database or 0}" + (f"?{urlencode(options)}" if options else ""),
    )


def _form(scheme: str) -> str:
    return f"{scheme}://HOST:PORT,HOST:PORT/" + ("" if scheme.endswith("cluster") else "MASTER/DB")


def _address(text: str, port: int) -> Address:
    one = urlsplit(f"//{text}")
    try:
        host, given = one.hostname, one.port
    except ValueError:
        host, given = None, None
    if not host:
        raise SettingsError("bus_url", f"names no server by '{text}'")
    return Address(host, given or port)
