"""The development overlay, run by Docker as its manifests say: every pod with the rights that they leave it.

So the images work as uid 10001, on a root they cannot write, without capabilities; every service as its own user of the
bus; and the probes' commands are there and say what they should.
"""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
import yaml
from tests.headrace_cli.k8s.rendered import kustomized
from tests.support.docker import docker
from tests.support.pods import Pods
from tests.support.redis_server import free_port

from headrace.testing.wait import wait_until_sync

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[2]
APP = "examples.fund_load:pipe"
TARGETS = {"gateway": "gateway-app", "reply": "reply", "worker": "worker-app"}
BUS_S = 60
GATEWAY_PORT = 8080


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """The pods of the overlay, all of them."""

    pods: Pods
    containers: dict[str, str]
    url: str

    @property
    def consumers(self) -> list[str]:
        return [name for name in self.pods.names if name.startswith("worker-") or name == "reply"]

    def probes(self, name: str, probe: str) -> bool:
        command = ["docker", "exec", self.containers[name], *self.pods.command(name, probe)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    def attempt(self, number: int) -> dict[str, object]:
        line = {"id": str(number), "customer_id": str(number), "load_amount": "$1", "time": "2026-01-01T00:00:00Z"}
        answer = httpx.post(f"{self.url}/v1/pipes/fund_load", json=line, timeout=BUS_S)
        assert answer.status_code == 200, answer.text
        decision: dict[str, object] = answer.json()
        return decision


def cli(*arguments: str) -> str:
    command = [sys.executable, "-m", "headrace_cli", "k8s", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    files, project = tmp_path_factory.mktemp("manifests"), f"headrace-pods-{uuid4().hex[:8]}"
    image = f"{project}-{{service}}:1.0.0"
    for service, target in TARGETS.items():
        reference = image.replace("{service}", service)
        docker("build", "--file", "deploy/Dockerfile", "--target", target, "--tag", reference, str(ROOT))
    cli("render", APP, "--image", image, "--out", str(files))
    secrets = yaml.safe_load_all(cli("secrets", APP, "--redis", "redis://redis:6379/0"))
    pods = Pods([*kustomized(files / "overlays" / "development"), *secrets], project, files / "mounted")
    docker("network", "create", project)
    port = free_port()  # one that stays when the pod is started again
    containers: dict[str, str] = {}
    try:
        for name in sorted(pods.names, key=lambda name: name != "redis"):
            published = ("--publish", f"127.0.0.1:{port}:{GATEWAY_PORT}") if name == "gateway" else ()
            containers[name] = pods.run(name, *published)
        started = Running(pods=pods, containers=containers, url=f"http://127.0.0.1:{port}")
        wait_until_sync(started.is_ready, timeout_s=BUS_S, description="the gateway is ready")
        for name in started.consumers:
            wait_until_sync(
                lambda name=name: started.probes(name, "startupProbe"),  # type: ignore[misc]
                timeout_s=BUS_S,
                description=f"{name} has started",
            )
        yield started
    finally:
        for name in containers.values():
            docker("rm", "--force", "--volumes", name)
        docker("network", "rm", project)
        docker("rmi", *(image.replace("{service}", service) for service in TARGETS))


def test_a_load_attempt_gets_its_decision(running: Running) -> None:
    assert running.attempt(1) == {"id": "1", "customer_id": "1", "accepted": True}


@pytest.mark.parametrize("probe", ["startupProbe", "livenessProbe", "readinessProbe"])
def test_consumers_are_alive_by_their_probes(running: Running, probe: str) -> None:
    for name in running.consumers:
        wait_until_sync(lambda name=name: running.probes(name, probe), timeout_s=BUS_S, description=f"{name} lives")  # type: ignore[misc]
    if probe != "livenessProbe":
        assert running.probes("redis", probe)


def test_the_probe_of_a_consumer_that_hangs_fails(running: Running) -> None:
    name = "worker-answers"
    container = running.containers[name]
    file = running.pods.command(name, "livenessProbe")[-1].split()[1]
    wait_until_sync(lambda: running.probes(name, "livenessProbe"), timeout_s=BUS_S, description="it lives")
    docker("kill", "--signal", "STOP", container)  # from inside, a first process ignores it
    try:
        docker("exec", container, "touch", "-d", "2 minutes ago", file)
        assert not running.probes(name, "livenessProbe")
    finally:
        docker("kill", "--signal", "CONT", container)
    wait_until_sync(lambda: running.probes(name, "livenessProbe"), timeout_s=BUS_S, description="it lives again")


def test_a_pod_has_no_rights_and_writes_nothing_but_its_own_directories(running: Running) -> None:
    write = "for at in / /app /opt /etc /var /usr; do touch $at/x 2>&- && echo wrote $at; done"
    script = f"{write}; id -u; grep CapEff /proc/1/status"
    for name in running.pods.names:
        uid, capabilities = docker("exec", running.containers[name], "sh", "-c", script).splitlines()
        assert int(uid) > 0
        assert int(capabilities.split()[1], 16) == 0


def test_the_images_say_themselves_that_they_are_healthy(running: Running) -> None:
    def state(name: str) -> str:
        return docker("inspect", "--format", "{{.State.Health.Status}}", running.containers[name])

    for name in ("gateway", "reply", "worker-intake"):
        wait_until_sync(lambda name=name: state(name) == "healthy", timeout_s=BUS_S, description=f"{name} is healthy")  # type: ignore[misc]


def test_every_pod_ends_in_order_within_its_grace(running: Running) -> None:
    services = [name for name in running.pods.names if name != "redis"]
    containers = [running.containers[name] for name in services]
    docker("stop", "--time", str(min(map(running.pods.grace_s, services))), *containers)
    codes = {name: docker("inspect", "--format", "{{.State.ExitCode}}", running.containers[name]) for name in services}
    docker("start", *containers)
    assert codes == dict.fromkeys(services, "0")
    wait_until_sync(running.is_ready, timeout_s=BUS_S, description="the gateway is ready again")
    assert running.attempt(2)["accepted"] is True
