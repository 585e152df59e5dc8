"""The Secrets that a deployment refers to: a password a service, the server's list of users, keys that sign envelopes.

Made anew each time, of the system's randomness. The server is given the hash of a password, never the password.
"""

import secrets
from base64 import b64encode
from hashlib import sha256
from urllib.parse import urlsplit

from msgspec import structs

from headrace.bus.redis.acl.users import KEDA
from headrace.bus.redis.url import parse
from headrace.errors import SettingsError
from headrace.kernel.clock import random_bytes
from headrace_cli.k8s.deployment import Deployment, dns_name
from headrace_cli.k8s.pod import Object

_PASSWORD_BYTES = 32
_KEY_BYTES = 32
_NOBODY = "user default off"  # without this line everybody is somebody


def secrets_of(made: Deployment, url: str) -> list[Object]:
    """Make the Secrets.

    Args:
        url: Where the bus is, without credentials.

    Raises:
        SettingsError: The address cannot be understood, or has credentials.
    """
    parse(url)
    parts = urlsplit(url)
    if "@" in parts.netloc:
        raise SettingsError("redis", "has credentials in it; they are made here, one for each service")
    lines: list[str] = [_NOBODY]
    made_secrets: list[Object] = []
    for user in made.users:
        service = user.name.removeprefix(f"{made.namespace}.")
        password = secrets.token_urlsafe(_PASSWORD_BYTES)
        known = structs.replace(user, passwords=(sha256(password.encode()).hexdigest(),))
        lines.append(known.line_of_redis_6() if made.is_redis_6 else known.line())
        content = (
            {"address": parts.netloc, "username": user.name, "password": password}
            if service == KEDA
            else {"HEADRACE_BUS_URL": parts._replace(netloc=f"{user.name}:{password}@{parts.netloc}").geturl()}
        )
        made_secrets.append(_secret(made, f"bus-{dns_name(service)}", content))
    key = f"k1:{b64encode(random_bytes(_KEY_BYTES)).decode()}"
    return [
        *made_secrets,
        _secret(made, "signing-keys", {"HEADRACE_SIGNING_KEYS": key}),
        _secret(made, "redis-acl", {"users.acl": "\n".join((*lines, ""))}),
    ]


def _secret(made: Deployment, name: str, content: dict[str, str]) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": made.name, "labels": {"app.kubernetes.io/part-of": made.name}},
        "type": "Opaque",
        "stringData": content,
    }
