"""The gateway, with its Service and its autoscaler, and the reply service."""

from headrace_cli.k8s.budget import DRAIN_S, LAST_COMMIT_S
from headrace_cli.k8s.deployment import Deployment
from headrace_cli.k8s.pod import Object, Workload, asked, labels, selecting, starting, workload
from headrace_cli.k8s.workers import CONSUMER_ENVIRONMENT, CONSUMER_PORTS, heartbeat_probes

PORT = 8080
_UNROUTED_S = 5  # until no proxy of the cluster sends to a pod that ends
_MOST_GATEWAYS = 10


def gateway(made: Deployment) -> list[Object]:
    """Give the gateway."""
    name = "gateway"
    names = labels(made, name, name)
    return [
        *workload(
            made,
            Workload(
                name=name,
                component=name,
                grace_s=_UNROUTED_S + DRAIN_S + LAST_COMMIT_S,
                environment={"HEADRACE_HOST": "0.0.0.0", "HEADRACE_PORT": str(PORT)},  # noqa: S104 - of its pod
                probes={
                    "startupProbe": starting(httpGet={"path": "/livez", "port": "http"}),
                    "livenessProbe": asked(httpGet={"path": "/livez", "port": "http"}),
                    "readinessProbe": asked(httpGet={"path": "/readyz", "port": "http"}),
                },
                container={
                    "ports": [{"name": "http", "containerPort": PORT}],
                    "lifecycle": {"preStop": {"exec": {"command": ["sleep", str(_UNROUTED_S)]}}},
                },
                is_scaled=True,
            ),
        ),
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "labels": names},
            "spec": {"selector": selecting(made, name), "ports": [{"name": "http", "port": 80, "targetPort": "http"}]},
        },
        {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": name, "labels": names},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
                "minReplicas": made.replicas,
                "maxReplicas": max(_MOST_GATEWAYS, made.replicas),
                "metrics": [
                    {
                        "type": "Resource",
                        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}},
                    }
                ],
            },
        },
    ]


def reply(made: Deployment) -> list[Object]:
    """Give the reply service; it opens no envelope, so it has no keys."""
    return workload(
        made,
        Workload(
            name="reply",
            component="reply",
            grace_s=DRAIN_S + LAST_COMMIT_S,
            environment=CONSUMER_ENVIRONMENT,
            probes=heartbeat_probes(),
            container=CONSUMER_PORTS,
            memory="256Mi",
            signs=False,
        ),
    )
