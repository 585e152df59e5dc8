"""Settings of the bus, and the bus and the framing that they describe."""

import base64
import binascii

from pydantic import Field, SecretStr

from headrace.bus.protocol import Bus
from headrace.bus.redis.bus import DEFAULT_NAMESPACE, RedisBus
from headrace.bus.tcp.address import SCHEME
from headrace.bus.tcp.bus import TcpBus
from headrace.errors import SettingsError
from headrace.settings.sources import Settings
from headrace.wire.envelope import DEFAULT_MAX_FRAME_BYTES, Framing
from headrace.wire.signing import Keyring
from headrace.wire.trace import MAX_PARTITIONS

MEMORY = "memory://"
_KEYS_FORM = "is not of the form id:base64[,id:base64...]"


class BusSettings(Settings):
    """Settings of whatever speaks to the bus; alike for all processes of a deployment."""

    bus_url: str = Field(
        MEMORY,
        repr=False,
        description="Where the bus is: redis://HOST:PORT/DB (rediss:// with TLS, unix://PATH), "
        "redis+sentinel://HOST:PORT,HOST:PORT/MASTER/DB or redis+cluster://HOST:PORT,HOST:PORT/; "
        "tcp://127.0.0.1:PORT is a broker on this machine; memory:// is one process.",
    )
    namespace: str = Field(
        DEFAULT_NAMESPACE,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$",
        description="Sets deployments that share a server apart.",
    )
    partitions: int = Field(1, ge=1, le=MAX_PARTITIONS, description="Over how many hash tags runs are spread.")
    retention_s: float = Field(3600.0, gt=0, description="Seconds that the record of an ended run is kept.")
    signing_keys: SecretStr | None = Field(
        None, description="Keys that sign envelopes, id:base64[,id:base64...]; the first signs, all verify."
    )
    bus_keys: SecretStr | None = Field(
        None,
        description="Keys of a tcp:// bus, id:base64[,id:base64...]; the first is used, all are taken; no default.",
    )
    max_frame_bytes: int = Field(DEFAULT_MAX_FRAME_BYTES, ge=1024, description="The largest envelope sent or taken.")


def open_bus(settings: BusSettings) -> Bus:
    """Make the bus; it connects when it is first asked.

    Raises:
        SettingsError: The address is no bus that processes share, or what it needs is missing.
    """
    if settings.bus_url.startswith(MEMORY):
        raise SettingsError("bus_url", f"is {MEMORY}, which ends with its process; give redis://HOST:PORT")
    if settings.bus_url.startswith(f"{SCHEME}:"):
        if settings.partitions > 1:
            raise SettingsError("partitions", "is over 1, and a tcp:// bus has one partition")
        return TcpBus(settings.bus_url, bus_keyring(settings))
    return RedisBus(
        settings.bus_url,
        namespace=settings.namespace,
        partitions=settings.partitions,
        retention_s=settings.retention_s,
    )


def framing(settings: BusSettings) -> Framing:
    """Make the framing: signed where there are keys.

    Raises:
        SettingsError: The keys are malformed or too short.
    """
    keys = settings.signing_keys
    keyring = _keyring("signing_keys", keys.get_secret_value()) if keys else None
    return Framing(keyring, max_frame_bytes=settings.max_frame_bytes)


def bus_keyring(settings: BusSettings) -> Keyring:
    """Give the keys of a tcp bus, for its broker and its clients.

    Raises:
        SettingsError: The keys are missing, malformed or too short.
    """
    if settings.bus_keys is None:
        raise SettingsError("bus_keys", "is missing, and a tcp:// bus has no default key")
    return _keyring("bus_keys", settings.bus_keys.get_secret_value())


def _keyring(setting: str, text: str) -> Keyring:
    secrets: dict[str, bytes] = {}
    for part in text.split(","):
        key_id, colon, encoded = part.strip().partition(":")
        if not colon or key_id in secrets:
            raise SettingsError(setting, f"names key '{key_id}' twice" if colon else _KEYS_FORM)
        try:
            secrets[key_id] = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            raise SettingsError(setting, _KEYS_FORM) from None
    return Keyring(secrets, next(iter(secrets)), setting=setting)
