"""The deployed services: they come up, decide, answer what waited for the reply service, and stop in order."""

import json
import os
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from tests.support.docker import compose, docker
from tests.support.redis_server import free_port

from headrace.testing.wait import wait_until_sync

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[2]
WAITING = 5
SCALED = "worker-intake"
BUSY = 90
CALLERS = 12
START_TIMEOUT_S = 60
ANSWER_TIMEOUT_S = 60.0
WEB_STACK = "import importlib.util as u; print([name for name in ('fastapi', 'uvicorn') if u.find_spec(name)])"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One compose project of this checkout."""

    command: tuple[str, ...]
    environment: dict[str, str]
    url: str
    namespace: str

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            [*self.command, *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"compose {' '.join(arguments)}:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    def attempt(self, number: int, amount: str) -> dict[str, object]:
        line = {
            "id": str(number),
            "customer_id": str(1_000 + number),
            "load_amount": amount,
            "time": "2026-01-01T00:00:00Z",
        }
        answer = httpx.post(f"{self.url}/v1/pipes/fund_load", json=line, timeout=ANSWER_TIMEOUT_S)
        assert answer.status_code == 200, f"{answer.status_code}: {answer.text}"
        decision: dict[str, object] = answer.json()
        return decision

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    def unread_replies(self) -> int:
        replies = f"{{{self.namespace}:0}}:replies"
        return int(self.run("exec", "-T", "redis", "redis-cli", "xlen", replies))


@pytest.fixture(scope="module")
def deployment() -> Iterator[Deployment]:
    port = free_port()
    project = f"headrace-test-{uuid4().hex[:8]}"
    deployed = Deployment(
        command=(*compose(), "--project-name", project, "--file", str(ROOT / "deploy" / "compose.yaml")),
        environment={
            **os.environ,
            "HEADRACE_PORT": str(port),
            "HEADRACE_NAMESPACE": project,
            "HEADRACE_SIGNING_KEYS": f"test:{b64encode(os.urandom(32)).decode()}",
        },
        url=f"http://127.0.0.1:{port}",
        namespace=project,
    )
    deployed.run("build")
    try:
        deployed.run("up", "--detach")
        try:
            wait_until_sync(deployed.is_ready, timeout_s=START_TIMEOUT_S, description="the gateway is ready")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{deployed.run('logs', '--no-color')[-8000:]}") from error
        yield deployed
    finally:
        deployed.run("down", "--volumes", "--remove-orphans", "--timeout", "20")


def test_a_load_attempt_gets_its_decision(deployment: Deployment) -> None:
    assert deployment.attempt(1, "$4999.99") == {"id": "1", "customer_id": "1001", "accepted": True}
    assert deployment.attempt(2, "$5000.01") == {"id": "2", "customer_id": "1002", "accepted": False}


def test_what_waits_while_the_reply_service_is_away_is_answered_when_it_is_back(deployment: Deployment) -> None:
    deployment.run("stop", "reply")
    deployment.run("restart", "gateway")  # under a new name, which no worker has learned
    wait_until_sync(deployment.is_ready, timeout_s=START_TIMEOUT_S, description="the gateway is ready again")
    with ThreadPoolExecutor(WAITING) as callers:
        waiting = [callers.submit(deployment.attempt, 100 + number, "$10.00") for number in range(WAITING)]
        try:
            wait_until_sync(
                lambda: deployment.unread_replies() + sum(map(Future.done, waiting)) == WAITING,
                timeout_s=ANSWER_TIMEOUT_S,
                description=f"{WAITING} runs have ended, and nobody has read their replies",
            )
            assert not all(map(Future.done, waiting))
        finally:
            deployment.run("start", "reply")
        answers = [each.result(timeout=ANSWER_TIMEOUT_S) for each in waiting]
    assert answers == [
        {"id": str(100 + number), "customer_id": str(1_100 + number), "accepted": True} for number in range(WAITING)
    ]


def test_a_service_stops_in_order_when_it_is_told_to(deployment: Deployment) -> None:
    services = ("gateway", "reply", "worker-intake", "worker-decisions", "worker-answers")
    containers = {name: deployment.run("ps", "--quiet", name).strip() for name in services}
    deployment.run("stop", *services)
    codes = {name: _exit_code(container) for name, container in containers.items()}
    deployment.run("start", *services)
    assert codes == dict.fromkeys(services, "0")
    wait_until_sync(deployment.is_ready, timeout_s=START_TIMEOUT_S, description="the gateway is ready again")


def test_replicas_share_the_work_and_one_that_is_taken_away_while_busy_loses_nothing(
    deployment: Deployment,
) -> None:
    deployment.run("up", "--detach", "--no-recreate", "--scale", f"{SCALED}=2")
    first, second = deployment.run("ps", "--quiet", SCALED).split()
    wait_until_sync(lambda: _consumes(first) and _consumes(second), timeout_s=60, description="both consume")
    numbers = range(1_000, 1_000 + BUSY)
    with ThreadPoolExecutor(CALLERS) as callers:
        asked = [callers.submit(deployment.attempt, number, "$10.00") for number in numbers]
        wait_until_sync(lambda: sum(map(Future.done, asked)) > BUSY / 3, timeout_s=60, description="it is busy")
        docker("stop", second)  # as scaling down does, but its log is kept
        answers = [each.result(timeout=ANSWER_TIMEOUT_S) for each in asked]
    assert [answer["accepted"] for answer in answers] == [True] * BUSY
    assert docker("inspect", "--format", "{{.State.ExitCode}}", second) == "0"
    docker("stop", first)
    committed = [_committed(first), _committed(second)]
    assert min(committed) > 0, "both have taken part"
    assert sum(committed) >= BUSY
    deployment.run("up", "--detach", "--no-recreate", "--scale", f"{SCALED}=1")


@pytest.mark.parametrize("service", ["reply", "worker-intake"])
def test_an_image_holds_no_web_stack_where_its_service_needs_none(deployment: Deployment, service: str) -> None:
    alone = ("run", "--rm", "--no-deps", "-T", "--entrypoint", "python", service, "-c", WEB_STACK)
    assert deployment.run(*alone).strip() == "[]"


def _consumes(container: str) -> bool:
    return "worker_started" in _log(container)


def _committed(container: str) -> int:
    """Give how many hops a worker has committed in all its lives, as it says itself when it stops."""
    stopped = [json.loads(line) for line in _log(container).splitlines() if '"worker_stopped"' in line]
    return sum(each.get("committed", 0) for each in stopped)


def _log(container: str) -> str:
    done = subprocess.run(["docker", "logs", container], capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


def _exit_code(container: str) -> str:
    return docker("inspect", "--format", "{{.State.ExitCode}}", container)
