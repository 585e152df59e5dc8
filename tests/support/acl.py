"""Users of a server, as tests make them."""

import re
from collections.abc import Sequence
from contextlib import closing
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from msgspec import structs
from redis import Redis

from headrace.bus.redis.acl.users import users_of
from headrace.graph.plan import ExecutionPlan

PASSWORD = "every-users"


def hashed(password: str) -> str:
    """Give a password as the server is to know it."""
    return sha256(password.encode()).hexdigest()


def words(line: str) -> list[str]:
    """Take a line of an ACL file apart as ACL SETUSER wants it: a selector is one word."""
    return re.findall(r"\([^)]*\)|\S+", line.removeprefix("user "))


def make_users(
    url: str,
    plan: ExecutionPlan,
    namespace: str,
    *,
    partitions: int = 1,
    channels: Sequence[str] = (),
    is_redis_6: bool = False,
) -> dict[str, str]:
    """Make the users of a deployment on a server; gives the address for each service."""
    parts = urlsplit(url)
    found: dict[str, str] = {}
    with closing(Redis.from_url(url)) as admin:
        for user in users_of(plan, namespace, partitions=partitions, channels=channels):
            known = structs.replace(user, passwords=(hashed(PASSWORD),))
            line = known.line_of_redis_6() if is_redis_6 else known.line()
            admin.execute_command("ACL", "SETUSER", *words(line))  # type: ignore[no-untyped-call]  # untyped in the client
            netloc = f"{user.name}:{PASSWORD}@{parts.netloc}"
            found[user.name.removeprefix(f"{namespace}.")] = parts._replace(netloc=netloc).geturl()
    return found


def delete_users(url: str, namespace: str, services: dict[str, str]) -> None:
    """Delete what `make_users` made."""
    with closing(Redis.from_url(url)) as admin:
        admin.acl_deluser(*(f"{namespace}.{service}" for service in services))


def refusals(url: str) -> list[str]:
    """Give what a server has refused to its users, and have it forget that."""
    with closing(Redis.from_url(url, decode_responses=True)) as admin:
        log: Any = admin.execute_command("ACL", "LOG")  # type: ignore[no-untyped-call]  # untyped in the client
        admin.execute_command("ACL", "LOG", "RESET")  # type: ignore[no-untyped-call]
    entries = [dict(zip(entry[::2], entry[1::2], strict=True)) if isinstance(entry, list) else entry for entry in log]
    told = sorted({f"{entry['username']}: {entry['reason']} {entry['object']}" for entry in entries})
    return [each for each in told if "client|setinfo" not in each]  # the client library asks, and takes a no
