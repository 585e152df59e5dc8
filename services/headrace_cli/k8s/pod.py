"""The shape that all our workloads share: a Deployment whose pods may do nothing but their work.

Pods run as a user without rights, on a file system that they cannot write but for small directories in memory, with no
token of the cluster's, and spread over nodes and zones.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from headrace_cli.k8s.deployment import Deployment, dns_name

Object = dict[str, Any]

UID = 10001  # of the images
RUN_DIRECTORY = "/run/headrace"
METRICS_PORT = 9464
PLACEMENT_DIRECTORY = "/etc/headrace"
PLACEMENT_FILE = "placement.toml"
_ASK_S = 5  # between questions of probes
_START_TRIES = 60  # five minutes for a bus that is slow to come
_AWAIT_S = 300  # then the pod has failed to start, which its state shows

POD_SECURITY: Object = {
    "runAsNonRoot": True,
    "runAsUser": UID,
    "runAsGroup": UID,
    "fsGroup": UID,
    "seccompProfile": {"type": "RuntimeDefault"},
}
CONTAINER_SECURITY: Object = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


class Workload(Struct, frozen=True):
    """What sets one workload apart.

    Attributes:
        name: Its own, and that of the user of the bus in its Secret.
        component: `gateway`, `reply` or `worker`: the service, and its image.
        grace_s: Seconds that a pod has to end.
        environment: Settings of its own.
        probes: Of its container.
        container: More of its container.
        memory: The most it may use.
        signs: Whether it opens envelopes, and so needs the keys that sign them.
        is_scaled: Whether something in the same directory says how many there are; then the Deployment does not.
    """

    name: str
    component: str
    grace_s: int
    environment: Mapping[str, str]
    probes: Object
    container: Object
    memory: str = "512Mi"
    signs: bool = True
    is_scaled: bool = False
    group: str = ""


def workload(made: Deployment, of: Workload) -> list[Object]:
    """Give a workload: its account, its Deployment and its disruption budget."""
    names = labels(made, of.name, of.component, of.group)
    selector = {"matchLabels": selecting(made, of.name)}
    deployment: Object = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": of.name, "labels": names},
        "spec": {
            **({} if of.is_scaled else {"replicas": made.replicas}),
            "revisionHistoryLimit": 3,
            "selector": selector,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": {
                "metadata": {"labels": names, "annotations": {"headrace/plan": made.plan.version}},
                "spec": _pod(made, of, selector),
            },
        },
    }
    budget: Object = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": of.name, "labels": names},
        "spec": {"maxUnavailable": 1, "selector": selector},
    }
    return [account(of.name, names), deployment, budget]


def account(name: str, names: Object) -> Object:
    """Give a service account that no pod gets a token of."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": name, "labels": names},
        "automountServiceAccountToken": False,
    }


def labels(made: Deployment, name: str, component: str, group: str = "") -> Object:
    """Give the labels of a workload and its pods."""
    names = {**selecting(made, name), "app.kubernetes.io/component": component}
    return {**names, "headrace/group": group} if group else names


def selecting(made: Deployment, name: str) -> Object:
    """Give the labels by which a workload's pods are found; they cannot change in its life."""
    return {"app.kubernetes.io/name": dns_name(name), "app.kubernetes.io/part-of": made.name}


def secret(name: str, key: str) -> Object:
    """Refer to a value in a Secret."""
    return {"name": key, "valueFrom": {"secretKeyRef": {"name": name, "key": key}}}


def asked(**how: object) -> Object:
    """Give a probe that is asked every few seconds."""
    return {**how, "periodSeconds": _ASK_S, "timeoutSeconds": 3}


def starting(**how: object) -> Object:
    """Give a probe that has patience with a start."""
    return {**asked(**how), "failureThreshold": _START_TRIES}


def _pod(made: Deployment, of: Workload, selector: Object) -> Object:
    return {
        "serviceAccountName": of.name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": of.grace_s,
        "securityContext": POD_SECURITY,
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": selector}
            for key in ("kubernetes.io/hostname", "topology.kubernetes.io/zone")
        ],
        "initContainers": [
            {"name": "await-bus", "args": ["--verify-s", str(_AWAIT_S)], **_container(made, of)},
        ],
        "containers": [{"name": of.component, **_container(made, of), **of.container, **of.probes}],
        "volumes": [
            {"name": "placement", "configMap": {"name": "placement"}},
            _in_memory("run", "1Mi"),
            _in_memory("tmp", "64Mi"),
        ],
    }


def _container(made: Deployment, of: Workload) -> Object:
    """Give what the service and the wait for its bus have in common: the bus is asked as the service asks it."""
    return {
        "image": made.image(of.component),
        "imagePullPolicy": "IfNotPresent",
        "envFrom": [{"configMapRef": {"name": "settings"}}],
        "env": _environment(of),
        "resources": {
            "requests": {"cpu": "100m", "memory": "128Mi"},
            # a Python process uses one core, so the limit costs it nothing
            "limits": {"cpu": "1", "memory": of.memory},
        },
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [
            {"name": "placement", "mountPath": PLACEMENT_DIRECTORY, "readOnly": True},
            {"name": "run", "mountPath": RUN_DIRECTORY},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the pod's own, in memory
        ],
    }


def _environment(of: Workload) -> Sequence[Object]:
    own = [{"name": name, "value": value} for name, value in of.environment.items()]
    keys = [secret("signing-keys", "HEADRACE_SIGNING_KEYS")] if of.signs else []
    return [*own, secret(f"bus-{of.name}", "HEADRACE_BUS_URL"), *keys]


def _in_memory(name: str, size: str) -> Object:
    return {"name": name, "emptyDir": {"medium": "Memory", "sizeLimit": size}}
