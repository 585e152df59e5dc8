"""Runs the pods of rendered manifests as containers, with what the manifests say: user, rights, file systems, limits.

What Docker calls by another name is translated; what it has not (services, policies, probes' timing) is left out. A pod
is reached by its workload's name, as by a Service.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support.docker import docker

Object = dict[str, Any]


class Pods:
    """Pods on a network of their own.

    Args:
        project: Names the network, and is in front of the containers' names.
        files: Where the content of ConfigMaps and Secrets is written, to be mounted.
    """

    def __init__(self, objects: list[Object], project: str, files: Path) -> None:
        self._project = project
        self._files = files
        self._contents: Mapping[tuple[str, str], dict[str, str]] = {
            (each["kind"], each["metadata"]["name"]): each.get("data", {}) | each.get("stringData", {})
            for each in objects
            if each["kind"] in {"ConfigMap", "Secret"}
        }
        self._pods: Mapping[str, Object] = {
            each["metadata"]["name"]: each["spec"]["template"]["spec"]
            for each in objects
            if each["kind"] in {"Deployment", "StatefulSet"}
        }
        self.names = tuple(self._pods)

    def run(self, name: str, *options: str) -> str:
        """Start a pod, after what it is to wait for; gives its container."""
        pod = self._pods[name]
        for container in pod.get("initContainers", ()):
            docker(*("run", "--rm"), *self._arguments(pod, container))
        (container,) = pod["containers"]
        called = f"{self._project}-{name}"
        docker(
            *("run", "--detach", "--name", called, "--network-alias", name), *self._arguments(pod, container, options)
        )
        return called

    def _arguments(self, pod: Object, container: Object, options: Sequence[str] = ()) -> list[str]:
        return [
            *("--network", self._project),
            *self._security(pod["securityContext"], container["securityContext"]),
            *self._bounds(container["resources"]["limits"]),
            *self._mounts(pod, container),
            *(word for key, value in self._environment(container) for word in ("--env", f"{key}={value}")),
            *options,
            container["image"],
            *container.get("args", ()),
        ]

    def environment(self, name: str) -> dict[str, str]:
        """Give the environment of a pod's container."""
        return dict(self._environment(self._pods[name]["containers"][0]))

    def command(self, name: str, probe: str) -> list[str]:
        """Give the command of a pod's probe."""
        command: list[str] = self._pods[name]["containers"][0][probe]["exec"]["command"]
        return command

    def grace_s(self, name: str) -> int:
        """Give the seconds that a pod has to end."""
        grace_s: int = self._pods[name]["terminationGracePeriodSeconds"]
        return grace_s

    @staticmethod
    def _security(pod: Object, container: Object) -> Iterator[str]:
        assert pod["runAsNonRoot"]
        assert pod["seccompProfile"] == {"type": "RuntimeDefault"}, "which is Docker's own default"
        yield from ("--user", f"{pod['runAsUser']}:{pod['runAsGroup']}")
        if container["readOnlyRootFilesystem"]:
            yield "--read-only"
        if not container["allowPrivilegeEscalation"]:
            yield from ("--security-opt", "no-new-privileges")
        for capability in container["capabilities"]["drop"]:
            yield from ("--cap-drop", capability)

    @staticmethod
    def _bounds(limits: Object) -> Iterator[str]:
        yield from ("--memory", limits["memory"].replace("Mi", "m"), "--cpus", limits["cpu"])

    def _mounts(self, pod: Object, container: Object) -> Iterator[str]:
        volumes = {volume["name"]: volume for volume in pod.get("volumes", ())}
        for mount in container.get("volumeMounts", ()):
            volume, path = volumes.get(mount["name"], {"emptyDir": {}}), mount["mountPath"]  # or it is claimed
            if "configMap" in volume:
                yield from ("--volume", f"{self._written('ConfigMap', volume['configMap']['name'])}:{path}:ro")
            elif "secret" in volume:
                yield from ("--volume", f"{self._written('Secret', volume['secret']['secretName'])}:{path}:ro")
            else:
                yield from ("--tmpfs", f"{path}:uid={pod['securityContext']['runAsUser']},mode=0700")

    def _written(self, kind: str, name: str) -> Path:
        directory = self._files / kind / name
        directory.mkdir(parents=True, exist_ok=True)
        for file, text in self._contents[kind, name].items():
            (directory / file).write_text(text)
        return directory

    def _environment(self, container: Object) -> Iterator[tuple[str, str]]:
        for source in container.get("envFrom", ()):
            yield from self._contents["ConfigMap", source["configMapRef"]["name"]].items()
        for each in container.get("env", ()):
            if "value" in each:
                yield each["name"], each["value"]
            else:
                secret = each["valueFrom"]["secretKeyRef"]
                yield each["name"], self._contents["Secret", secret["name"]][secret["key"]]
