"""A deployment whose every service has a user of its own on a server that knows no other: real processes, over HTTP."""

import json
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from msgspec import structs
from redis import Redis
from tests.support.acl import hashed, refusals
from tests.support.redis_server import IN_MEMORY, RedisServer
from tests.support.services import Service, services

from headrace.bus.redis.acl.users import GATEWAY, REPLY, users_of, worker
from headrace.bus.redis.keys import Keys
from headrace.graph.plan import ExecutionPlan
from headrace.runtime.load import load_plan

ADMIN = "admin"
ANSWER_S = 30.0


class Secured:
    """A server with the users of one pipe, and what was started on it.

    Args:
        app: The pipe.
    """

    def __init__(self, app: str, server: RedisServer, passwords: dict[str, str], plan: ExecutionPlan) -> None:
        self._app = app
        self._server = server
        self._passwords = passwords
        self.plan = plan
        self.keys = Keys(plan.pipe, 0)

    def url(self, service: str) -> str:
        """Give the address of the bus for a service."""
        name = ADMIN if service == ADMIN else f"{self.plan.pipe}.{service}"
        return f"redis://{name}:{self._passwords[name]}@127.0.0.1:{self._server.port}/0"

    def client(self, service: str) -> Redis:
        """Connect as a service, as a thief of its password would."""
        return Redis.from_url(self.url(service))

    def worker(self, group: str, **settings: str) -> Service:
        """Start a worker."""
        return self._service("worker", worker(group), app=self._app, group=group, **settings)

    @contextmanager
    def whole(self, *, without: str = "") -> Iterator[httpx.Client]:
        """Start everything but, perhaps, the workers of one group; gives a client of the gateway."""
        gateway = self._service("gateway", GATEWAY, app=self._app, port="0")
        workers = [self.worker(group) for group in self.plan.groups if group != without]
        with services(self._service("reply", REPLY), *workers, gateway):
            started = next(line for line in gateway.log.splitlines() if "gateway_started" in line)
            with httpx.Client(base_url=json.loads(started)["url"], timeout=ANSWER_S) as http:
                yield http

    def services(self) -> tuple[str, ...]:
        """Name the users that services have."""
        return GATEWAY, REPLY, *map(worker, self.plan.groups)

    def verifying(self, service: str, within_s: float) -> Service:
        """Have a service wait for the bus in place of its work, with the settings that it works with."""
        name, _, group = service.partition("-")
        own = {GATEWAY: {"app": self._app}, REPLY: {}}.get(service, {"app": self._app, "group": group})
        return self._service(name, service, **own, verify_s=str(within_s))

    def denied(self) -> list[str]:
        """Give what the server has refused so far, and forget it."""
        return refusals(self.url(ADMIN))

    def _service(self, name: str, user: str, **settings: str) -> Service:
        return Service(name, bus_url=self.url(user), namespace=self.plan.pipe, **settings)


@contextmanager
def secured(app: str) -> Iterator[Secured]:
    """Run a server that knows the users of a pipe's deployment and an admin, and nobody else."""
    plan = load_plan(app)
    users = users_of(plan, plan.pipe)
    passwords = {name: secrets.token_urlsafe(24) for name in (ADMIN, *(user.name for user in users))}
    lines = [structs.replace(user, passwords=(hashed(passwords[user.name]),)).line() for user in users]
    lines += ["user default off", f"user {ADMIN} on >{passwords[ADMIN]} ~* &* +@all"]
    with tempfile.TemporaryDirectory() as directory:
        acl_file = Path(directory, "users.acl")
        acl_file.write_text("\n".join(lines) + "\n")
        server = RedisServer((*IN_MEMORY, "--aclfile", str(acl_file)))
        server.url = f"redis://{ADMIN}:{passwords[ADMIN]}@127.0.0.1:{server.port}/0"
        with server:
            yield Secured(app, server, passwords, plan)
