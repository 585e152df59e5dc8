"""A group's consumer. It serves nothing over the network, so its probes look at a file that it touches."""

from headrace_cli.k8s.budget import LAST_COMMIT_S, drain_s
from headrace_cli.k8s.deployment import Deployment
from headrace_cli.k8s.pod import RUN_DIRECTORY, Object, Workload, asked, starting, workload

HEARTBEAT = f"{RUN_DIRECTORY}/heartbeat"
ALIVE = f"find {HEARTBEAT} -mmin -1 | grep -q ."  # touched within the last minute


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
                "HEADRACE_HEARTBEAT_FILE": HEARTBEAT,
            },
            probes=heartbeat_probes(),
            container={},
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
