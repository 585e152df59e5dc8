"""A Redis for development: one pod with a volume, which knows the users of the deployment and no other."""

from headrace_cli.k8s.deployment import Deployment
from headrace_cli.k8s.network import REDIS_PORT
from headrace_cli.k8s.pod import CONTAINER_SECURITY, POD_SECURITY, Object, account, labels, selecting

IMAGE = "redis:7"
_NAME = "redis"
_UID = 999  # of that image
_SECURITY = {**POD_SECURITY, "runAsUser": _UID, "runAsGroup": _UID, "fsGroup": _UID}
_OPTIONS = {  # as deploy/redis/redis.conf, which says why
    "appendonly": "yes",
    "appendfsync": "everysec",
    "save": "",
    "maxmemory": "384mb",
    "maxmemory-policy": "noeviction",
    "aclfile": "/etc/redis/users.acl",
}
# NOAUTH is an answer, too: of a server that has loaded its data, to one who is no user of it
_ANSWERS = "redis-cli ping | grep -qE 'PONG|NOAUTH'"


def redis(made: Deployment) -> list[Object]:
    """Give the server, its Service and its account."""
    names, selector = labels(made, _NAME, _NAME), selecting(made, _NAME)
    meta = {"name": _NAME, "labels": names}
    return [
        account(_NAME, names),
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": meta,
            "spec": {"selector": selector, "ports": [{"name": _NAME, "port": REDIS_PORT, "targetPort": _NAME}]},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": meta,
            "spec": {
                "serviceName": _NAME,
                "replicas": 1,
                "selector": {"matchLabels": selector},
                "template": {"metadata": {"labels": names}, "spec": _pod()},
                "volumeClaimTemplates": [
                    {
                        "metadata": {"name": "data"},
                        "spec": {
                            "accessModes": ["ReadWriteOnce"],
                            "resources": {"requests": {"storage": "1Gi"}},
                        },
                    }
                ],
            },
        },
    ]


def _pod() -> Object:
    options = [word for option, value in _OPTIONS.items() for word in (f"--{option}", value)]
    answers = {"exec": {"command": ["sh", "-c", _ANSWERS]}}
    return {
        "serviceAccountName": _NAME,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 30,
        "securityContext": _SECURITY,
        "containers": [
            {
                "name": _NAME,
                "image": IMAGE,
                "imagePullPolicy": "IfNotPresent",
                "args": ["redis-server", *options],
                "ports": [{"name": _NAME, "containerPort": REDIS_PORT}],
                "startupProbe": {**answers, "periodSeconds": 2, "failureThreshold": 60},
                "livenessProbe": {"tcpSocket": {"port": _NAME}, "periodSeconds": 10},
                "readinessProbe": {**answers, "periodSeconds": 5},
                "resources": {
                    "requests": {"cpu": "100m", "memory": "256Mi"},
                    "limits": {"cpu": "1", "memory": "512Mi"},
                },
                "securityContext": CONTAINER_SECURITY,
                "volumeMounts": [
                    {"name": "data", "mountPath": "/data"},
                    {"name": "acl", "mountPath": "/etc/redis", "readOnly": True},
                ],
            }
        ],
        "volumes": [{"name": "acl", "secret": {"secretName": "redis-acl"}}],
    }
