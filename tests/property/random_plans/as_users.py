"""The bus on Redis as a deployment asks it: each service as a user of its own, who may do what the graph says."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from tests.support.acl import delete_users, make_users

from headrace.bus.redis.acl.users import GATEWAY, REPLY, worker
from headrace.bus.redis.bus import RedisBus
from headrace.graph.edges import edges_of
from headrace.graph.plan import ExecutionPlan

OF_GROUPS = ("read", "claim", "extend", "commit", "promote", "sweep")
OF_INGRESS = ("submit", "view", "end", "signal", "watch", "unwatch", "load", "now_ms", "events")
OF_REPLIES = ("read_replies", "waiters", "deliver")


class AsUsers:
    """A `RedisBus` of several users; what a group asks comes from its worker.

    Args:
        url: A server, as somebody who may make users.
    """

    def __init__(self, url: str, plan: ExecutionPlan, namespace: str, **options: Any) -> None:
        self._url, self._plan, self._namespace = url, plan, namespace
        self._admin = RedisBus(url, namespace=namespace, **options)
        self._server = self._admin._server
        self._urls = make_users(url, plan, namespace)
        self._buses = {service: RedisBus(own, namespace=namespace, **options) for service, own in self._urls.items()}
        self._ends_any = next(group for group in plan.groups if edges_of(plan, group).may_end_any)

    def __getattr__(self, call: str) -> Callable[..., Awaitable[Any]]:
        async def asked(*args: Any, **options: Any) -> Any:
            return await getattr(self._buses[self._who(call, args)], call)(*args, **options)

        return asked

    async def aclose(self) -> None:
        """Close connections, and delete the users."""
        await asyncio.gather(*(bus.aclose() for bus in (self._admin, *self._buses.values())))
        delete_users(self._url, self._namespace, self._urls)

    def _who(self, call: str, args: tuple[Any, ...]) -> str:
        if call in OF_INGRESS:
            return GATEWAY
        if call in OF_REPLIES:
            return REPLY
        if call == "expire":
            return worker(self._ends_any)
        group = args[0].removeprefix(f"{self._plan.pipe}.") if call in OF_GROUPS else next(iter(self._plan.groups))
        return worker(group)
