"""KEDA's part: a group is scaled by its backlog, which is its stream's length.

Never by the consumer group's lag: the server no longer knows that once entries are deleted out of order, and every
commit deletes its entry. KEDA looks at the length only where a trigger names no consumer group.
"""

from math import ceil

from headrace.bus.redis.keys import Keys
from headrace.settings.services import WorkerSettings
from headrace_cli.k8s.deployment import Deployment
from headrace_cli.k8s.pod import Object, labels

_BACKLOG = WorkerSettings.model_fields["slots"].default // 2  # a replica: as much again may come before one is full
_MOST_WORKERS = 20
_CALM_S = 300  # without need before a replica is taken away
_AUTHENTICATION = "redis"


def scaled_objects(made: Deployment) -> list[Object]:
    """Give the scaled object of each group, and how KEDA logs in to the bus."""
    return [_authentication(made), *(_scaled_object(made, name, group) for name, group in made.workers)]


def _scaled_object(made: Deployment, name: str, group: str) -> Object:
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"name": name, "labels": labels(made, name, "worker", group)},
        "spec": {
            "scaleTargetRef": {"name": name},
            "minReplicaCount": 1,  # not 0: with no worker nothing puts back what is scheduled for later
            "maxReplicaCount": max(_MOST_WORKERS, made.replicas),
            "advanced": {
                "horizontalPodAutoscalerConfig": {
                    "behavior": {"scaleDown": {"stabilizationWindowSeconds": _CALM_S}},
                }
            },
            "triggers": [_trigger(made, group, partition) for partition in range(made.partitions)],
        },
    }


def _trigger(made: Deployment, group: str, partition: int) -> Object:
    """Scale by one partition; of several the one that asks for most replicas counts, so each asks for its share."""
    return {
        "type": "redis-cluster-streams" if made.on_cluster else "redis-streams",
        "metadata": {
            "stream": Keys(made.namespace, partition).stream(made.plan.stream(group)),
            "streamLength": str(ceil(_BACKLOG / made.partitions)),
            "enableTLS": "true",
        },
        "authenticationRef": {"name": _AUTHENTICATION},
    }


def _authentication(made: Deployment) -> Object:
    address = "addresses" if made.on_cluster else "address"
    parameters = {address: "address", "username": "username", "password": "password"}
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "TriggerAuthentication",
        "metadata": {"name": _AUTHENTICATION},
        "spec": {
            "secretTargetRef": [
                {"parameter": parameter, "name": "bus-keda", "key": key} for parameter, key in parameters.items()
            ]
        },
    }
