"""What is rendered: one pipe's deployment, and how its parts are called. Values only."""

import re
from collections.abc import Iterable

from msgspec import Struct

from headrace.bus.redis.acl.user import User
from headrace.bus.redis.acl.users import GATEWAY, REPLY, users_of, worker
from headrace.errors import SettingsError
from headrace.graph.plan import ExecutionPlan

SERVICE = "{service}"
IMAGES = ("gateway", "reply", "worker")
_LONGEST_NAME = 63  # of a label's value, and of a Service
_TAGGED = re.compile(r"[^\s:@]+(?::\d+)?(?:/[^\s:@]+)*:(?P<tag>[\w][\w.-]{0,127})")


class Deployment(Struct, frozen=True):
    """One pipe, deployed.

    Attributes:
        app: The pipe, as the images have it.
        namespace: The bus's, which sets deployments on one server apart.
        images: The reference of the images, with `{service}` where they differ, and with a tag.
        partitions: Over how many hash tags runs are spread.
        replicas: Of each workload, where nothing scales it.
        redis_cidr: Where the production's Redis is, for its network policies.
        ingress_namespace: The Kubernetes namespace of whoever may speak to the gateway.
        monitoring_namespace: The same of the Prometheus that scrapes.
        is_redis_6: Whether the server has no selectors in its ACLs.
        on_cluster: Whether it is a Redis Cluster.
        channels: The distributed channels that its nodes use.
    """

    app: str
    plan: ExecutionPlan
    namespace: str
    images: str = ""
    partitions: int = 1
    replicas: int = 2
    redis_cidr: str = "10.0.0.0/8"
    ingress_namespace: str = "ingress-nginx"
    monitoring_namespace: str = "monitoring"
    is_redis_6: bool = False
    on_cluster: bool = False
    channels: tuple[str, ...] = ()

    @property
    def users(self) -> tuple[User, ...]:
        """The users of the server, without passwords."""
        return users_of(
            self.plan,
            self.namespace,
            partitions=self.partitions,
            channels=self.channels,
            on_cluster=self.on_cluster,
        )

    @property
    def name(self) -> str:
        """What all of it is called in Kubernetes: its namespace and the label of its parts."""
        return dns_name(self.plan.pipe)

    @property
    def workers(self) -> tuple[tuple[str, str], ...]:
        """The name of each group's workload, and the group."""
        return tuple((dns_name(worker(group)), group) for group in self.plan.groups)

    @property
    def services(self) -> tuple[str, ...]:
        """The names of all workloads that speak to the bus."""
        return (GATEWAY, REPLY, *(name for name, _ in self.workers))

    def image(self, service: str) -> str:
        """Give the reference of a service's image."""
        return self.images.replace(SERVICE, service)


def checked(deployment: Deployment) -> Deployment:
    """Give the deployment where it can be rendered.

    Raises:
        SettingsError: The images are not pinned or not told apart, or names of groups clash in Kubernetes.
    """
    for service in IMAGES:
        found = _TAGGED.fullmatch(deployment.image(service))
        if found is None or found["tag"] == "latest":
            raise SettingsError("image", f"'{deployment.images}' needs a tag, and one that does not move: not latest")
    if len({deployment.image(service) for service in IMAGES}) < len(IMAGES):
        raise SettingsError("image", f"'{deployment.images}' names one image; write {SERVICE} where the three differ")
    _require_distinct(deployment.services)
    return deployment


def dns_name(name: str) -> str:
    """Give a name of ours as Kubernetes takes it: names of pipes and groups may have an underscore, labels may not."""
    return name.replace("_", "-").rstrip("-")


def _require_distinct(names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen or len(name) > _LONGEST_NAME:
            why = "is what two groups would be called" if name in seen else f"has over {_LONGEST_NAME} characters"
            raise SettingsError("placement", f"cannot be rendered: the name '{name}' {why} in Kubernetes")
        seen.add(name)
