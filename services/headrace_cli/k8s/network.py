"""Who may speak to whom: nobody to nobody, but for the edges that the graph has, which all go through the bus."""

from headrace_cli.k8s.deployment import IMAGES, Deployment
from headrace_cli.k8s.pod import Object
from headrace_cli.k8s.services import PORT

REDIS_PORT = 6379
SERVICES = {"matchExpressions": [{"key": "app.kubernetes.io/component", "operator": "In", "values": list(IMAGES)}]}
NAMESPACE_NAME = "kubernetes.io/metadata.name"


def base_policies(made: Deployment) -> list[Object]:
    """Give the policies of every deployment: all is denied but names, and the way from outside to the gateway."""
    dns = [{"port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")]
    resolver = {
        "namespaceSelector": {"matchLabels": {NAMESPACE_NAME: "kube-system"}},
        "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
    }
    ingress = {"namespaceSelector": {"matchLabels": {NAMESPACE_NAME: made.ingress_namespace}}}
    return [
        policy("default-deny", {}, policyTypes=["Ingress", "Egress"]),
        policy("names", {}, policyTypes=["Egress"], egress=[{"to": [resolver], "ports": dns}]),
        policy(
            "ingress-to-gateway",
            {"matchLabels": {"app.kubernetes.io/component": "gateway"}},
            policyTypes=["Ingress"],
            ingress=[{"from": [ingress], "ports": [{"port": PORT, "protocol": "TCP"}]}],
        ),
    ]


def to_redis_outside(made: Deployment) -> list[Object]:
    """Give the policy that lets services reach a Redis outside of the cluster."""
    return [_to_redis({"ipBlock": {"cidr": made.redis_cidr}})]


def to_redis_beside() -> list[Object]:
    """Give the policies between the services and the Redis of their namespace."""
    redis = {"matchLabels": {"app.kubernetes.io/component": "redis"}}
    answer = {"from": [{"podSelector": SERVICES}], "ports": [{"port": REDIS_PORT, "protocol": "TCP"}]}
    return [
        _to_redis({"podSelector": redis}),
        policy("redis-from-services", redis, policyTypes=["Ingress"], ingress=[answer]),
    ]


def _to_redis(peer: Object) -> Object:
    edge = {"to": [peer], "ports": [{"port": REDIS_PORT, "protocol": "TCP"}]}
    return policy("services-to-redis", SERVICES, policyTypes=["Egress"], egress=[edge])


def policy(name: str, pods: Object, **spec: object) -> Object:
    """Give a policy over some pods."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name},
        "spec": {"podSelector": pods, **spec},
    }
