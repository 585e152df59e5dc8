"""The files of a rendered deployment, the same for the same deployment on every host.

| directory | what |
| --- | --- |
| `base` | every workload, the placement, who may what on the bus |
| `components/keda` | scaling of groups by their backlog |
| `components/monitoring` | what has a Prometheus Operator scrape every pod |
| `overlays/development` | with a Redis of its own |
| `overlays/production` | for a Redis outside, over TLS, scaled by KEDA |
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml

from headrace_cli.k8s.deployment import Deployment
from headrace_cli.k8s.monitoring import pod_monitor
from headrace_cli.k8s.network import base_policies, to_redis_beside, to_redis_outside
from headrace_cli.k8s.pod import PLACEMENT_DIRECTORY, PLACEMENT_FILE, Object
from headrace_cli.k8s.redis import redis
from headrace_cli.k8s.scaling import scaled_objects
from headrace_cli.k8s.services import gateway, reply
from headrace_cli.k8s.workers import consumer

KUSTOMIZATION = "kustomization.yaml"
KEYS_DIRECTORY = "/etc/headrace-keys"  # has `api-keys.toml`, which says whose requests the gateway takes
CA_DIRECTORY = "/etc/headrace-redis"  # has `ca.crt`, where nobody well known has signed Redis's certificate
_HEAD = "# Rendered by `headrace k8s render`; to change it, render again, or write an overlay of your own.\n"
_WIDTH = 120


class _InFull(yaml.SafeDumper):
    """Writes a value each time it is used: references to other places in a file are hard to read."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - for none
        return True


def _text(_dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return yaml.ScalarNode("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_InFull.add_representer(str, _text)


def tree_of(made: Deployment) -> dict[str, str]:
    """Give every file by its path."""
    return {
        **_placed("base", _base(made)),
        **_placed("components/keda", _keda(made)),
        **_placed("components/monitoring", _monitoring(made)),
        **_placed("overlays/development", _development(made)),
        **_placed("overlays/production", _production(made)),
    }


def text_of(objects: Iterable[object]) -> str:
    """Write objects as YAML."""
    return yaml.dump_all(objects, Dumper=_InFull, sort_keys=False, width=_WIDTH, allow_unicode=True)


def stale_files(tree: Mapping[str, str], root: Path) -> list[str]:
    """Name what in a directory differs from a tree: what is missing, is otherwise, or was rendered and is no more."""
    there = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    left = {name for name in there - tree.keys() if _read(root / name).startswith(_HEAD)}
    changed = {name for name, text in tree.items() if name not in there or _read(root / name) != text}
    return sorted(left | changed)


def write(tree: Mapping[str, str], root: Path) -> None:
    """Make a directory hold a tree: what was rendered before and is no more is deleted, and nothing else."""
    for name in stale_files(tree, root):
        path = root / name
        if name in tree:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(tree[name], encoding="utf-8")
        else:
            path.unlink()


def _placed(directory: str, files: Mapping[str, str]) -> dict[str, str]:
    return {f"{directory}/{name}": text for name, text in files.items()}


def _file(*objects: object) -> str:
    return _HEAD + text_of(objects)


def _base(made: Deployment) -> dict[str, str]:
    files = {
        "gateway.yaml": _file(*gateway(made)),
        "reply.yaml": _file(*reply(made)),
        **{f"{name}.yaml": _file(*consumer(made, name, group)) for name, group in made.workers},
        "network.yaml": _file(*base_policies(made)),
    }
    settings = {
        "HEADRACE_APP": made.app,
        "HEADRACE_NAMESPACE": made.namespace,
        "HEADRACE_PARTITIONS": str(made.partitions),
        "HEADRACE_PLACEMENT": f"{PLACEMENT_DIRECTORY}/{PLACEMENT_FILE}",
        "HEADRACE_LOG_FORMAT": "json",
    }
    # a generated ConfigMap has the hash of its content in its name, so a change rolls every Deployment
    generated = [
        {"name": "settings", "literals": [f"{name}={value}" for name, value in settings.items()]},
        {"name": "placement", "files": [PLACEMENT_FILE]},
    ]
    return {
        KUSTOMIZATION: _kustomization("Kustomization", resources=[*files], configMapGenerator=generated),
        **files,
        PLACEMENT_FILE: _HEAD + _placement(made),
        "users.acl": _users(made),
    }


def _keda(made: Deployment) -> dict[str, str]:
    unscaled = {
        "target": {"kind": "Deployment", "labelSelector": "app.kubernetes.io/component=worker"},
        "path": "unscaled.yaml",
    }
    return {
        KUSTOMIZATION: _kustomization("Component", resources=["scaled-objects.yaml"], patches=[unscaled]),
        "scaled-objects.yaml": _file(*scaled_objects(made)),
        # how many replicas there are is KEDA's to say
        "unscaled.yaml": _file([{"op": "remove", "path": "/spec/replicas"}]),
    }


def _monitoring(made: Deployment) -> dict[str, str]:
    return {
        KUSTOMIZATION: _kustomization("Component", resources=["pod-monitor.yaml"]),
        "pod-monitor.yaml": _file(*pod_monitor(made)),
    }


def _development(made: Deployment) -> dict[str, str]:
    resources = ["namespace.yaml", "../../base", "redis.yaml", "network.yaml"]
    return {
        KUSTOMIZATION: _kustomization("Kustomization", namespace=made.name, resources=resources),
        "namespace.yaml": _file(_namespace(made)),
        "redis.yaml": _file(*redis(made)),
        "network.yaml": _file(*to_redis_beside()),
    }


def _production(made: Deployment) -> dict[str, str]:
    trust = _mounted("redis-ca", CA_DIRECTORY, configMap={"name": "redis-ca", "optional": True})
    keys = _mounted("api-keys", KEYS_DIRECTORY, secret={"secretName": "api-keys"})
    key_file = {"name": "HEADRACE_API_KEYS_FILE", "value": f"{KEYS_DIRECTORY}/api-keys.toml"}
    patches = [
        {"target": {"kind": "Deployment"}, "path": "redis-ca.yaml"},
        {"target": {"kind": "Deployment", "name": "gateway"}, "path": "api-keys.yaml"},
    ]
    return {
        KUSTOMIZATION: _kustomization(
            "Kustomization",
            namespace=made.name,
            resources=["namespace.yaml", "../../base", "network.yaml"],
            components=["../../components/keda"],
            patches=patches,
            # no service starts with a setting that is for development only
            configMapGenerator=[{"name": "settings", "behavior": "merge", "literals": ["HEADRACE_PROFILE=production"]}],
        ),
        "namespace.yaml": _file(_namespace(made)),
        "network.yaml": _file(*to_redis_outside(made)),
        "redis-ca.yaml": _file(trust),
        "api-keys.yaml": _file([*keys, *_added_to_containers("env", key_file)]),
    }


def _mounted(name: str, path: str, **source: object) -> list[Object]:
    return [
        _added("/spec/template/spec/volumes/-", {"name": name, **source}),
        *_added_to_containers("volumeMounts", {"name": name, "mountPath": path, "readOnly": True}),
    ]


def _added_to_containers(field: str, value: Object) -> list[Object]:
    """Add to the service's container, and to the one that waits for its bus with the same settings."""
    return [_added(f"/spec/template/spec/{kind}/0/{field}/-", value) for kind in ("initContainers", "containers")]


def _added(path: str, value: Object) -> Object:
    return {"op": "add", "path": path, "value": value}


def _kustomization(kind: str, **content: object) -> str:
    version = "v1alpha1" if kind == "Component" else "v1beta1"
    return _file({"apiVersion": f"kustomize.config.k8s.io/{version}", "kind": kind, **content})


def _namespace(made: Deployment) -> Object:
    enforced = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": made.name, "labels": enforced}}


def _placement(made: Deployment) -> str:
    # a list of names is the same in JSON and in TOML
    lines = (f"{group} = {json.dumps(nodes)}" for group, nodes in made.plan.groups.items())
    return "\n".join(("[groups]", *lines, ""))


def _users(made: Deployment) -> str:
    """Write the users without passwords, for people to read what changes; `headrace k8s secrets` adds those."""
    return "\n".join((*(user.line_of_redis_6() if made.is_redis_6 else user.line() for user in made.users), ""))


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")
