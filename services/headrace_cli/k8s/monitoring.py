"""Monitoring's part: a `PodMonitor` of the Prometheus Operator over all pods, and the way in for its Prometheus."""

from headrace_cli.k8s.deployment import Deployment
from headrace_cli.k8s.network import NAMESPACE_NAME, SERVICES, policy
from headrace_cli.k8s.pod import METRICS_PORT, Object
from headrace_cli.k8s.services import PORT


def pod_monitor(made: Deployment) -> list[Object]:
    """Give what has Prometheus scrape every pod, and lets it."""
    selector = {"matchLabels": {"app.kubernetes.io/part-of": made.name}}
    prometheus = {"namespaceSelector": {"matchLabels": {NAMESPACE_NAME: made.monitoring_namespace}}}
    ports = [{"port": port, "protocol": "TCP"} for port in (PORT, METRICS_PORT)]
    return [
        {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "PodMonitor",
            "metadata": {"name": "headrace", "labels": {"app.kubernetes.io/part-of": made.name}},
            "spec": {
                "selector": selector,
                "podMetricsEndpoints": [{"port": port, "path": "/metrics"} for port in ("http", "metrics")],
            },
        },
        policy(
            "monitoring-to-services",
            SERVICES,
            policyTypes=["Ingress"],
            ingress=[{"from": [prometheus], "ports": ports}],
        ),
    ]
