"""A group's consumer. It serves nothing over the network but metrics, so its probes look at a file that it touches."""

from headrace_cli.k8s.budget import LAST_COMMIT_S, drain_s
from headrace_cli.k8s.deployment import Deployment
from headrace_cli.k8s.pod import METRICS_PORT, RUN_DIRECTORY, Object, Workload, asked, starting, workload

HEARTBEAT = f"{RUN_DIRECTORY}/heartbeat"
ALIVE = f"find {HEARTBEAT} -mmin -1 | grep -q ."  # touched within the last minute
CONSUMER_ENVIRONMENT = {
    "HEADRACE_HEARTBEAT_FILE": HEARTBEAT,
    "HEADRACE_METRICS_HOST": "0.0.0.0",  # noqa: S104 - of its pod, whose policies let nobody in
    "HEADRACE_METRICS_PORT": str(METRICS_PORT),
}
CONSUMER_PORTS: Object = {"ports": [{"name": "metrics", "containerPort": METRICS_PORT}]}


def consumer(made: Deployment, name: str, group: str) -> list[Object]:
    """Give the workload of a group."""
    drain = drain_s(made.plan, group)
    return workload(
        made,
        Workload(
            name=name,
            component="worker",
            group=group,
            grace_s=drain + LAST_COMMIT_S,
            environment={
                "HEADRACE_GROUP": group,
                "HEADRACE_DRAIN_S": str(drain),
                **CONSUMER_ENVIRONMENT,
            },
            probes=heartbeat_probes(),
            container=CONSUMER_PORTS,
        ),
    )


def heartbeat_probes() -> Object:
    """Give the probes of a consumer: it is there with its first heartbeat, and lives while it goes on."""
    alive = {"exec": {"command": ["sh", "-c", ALIVE]}}
    return {
        "startupProbe": starting(**alive),
        "livenessProbe": {**asked(**alive), "periodSeconds": 20, "failureThreshold": 2},
        "readinessProbe": asked(**alive),
    }
