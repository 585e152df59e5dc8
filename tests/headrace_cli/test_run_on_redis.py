"""`headrace run` on Redis: worker processes of its own, which end with it, whatever ends it; or those that run."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from redis import Redis
from tests.headrace_worker.service_process import service
from tests.support.processes import children_of, is_gone

from headrace.testing.wait import wait_until_sync
from headrace_cli.main import main

APP = "tests.headrace_worker.app:pipe"

pytestmark = pytest.mark.slow


def keys(redis_url: str) -> set[bytes]:
    with Redis.from_url(redis_url) as client:
        return set(client.scan_iter("{run-*"))


def write(path: Path, *lines: str) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def test_memory_and_redis_give_the_same_bytes_and_nothing_is_left(redis_url: str, tmp_path: Path) -> None:
    before = keys(redis_url)
    lines = write(tmp_path / "in", *(f'{{"value":{value % 700}}}' for value in range(3000)), "no json")
    on_memory, on_redis = tmp_path / "memory", tmp_path / "redis"
    assert main(["run", APP, "--input", str(lines), "--output", str(on_memory)]) == 1
    arguments = ["--bus", redis_url, "--workers", "2"]
    assert main(["run", APP, "--input", str(lines), "--output", str(on_redis), *arguments]) == 1
    assert on_redis.read_bytes() == on_memory.read_bytes()
    assert len(on_redis.read_bytes().splitlines()) == 3001
    assert keys(redis_url) == before


def test_a_worker_that_is_killed_is_started_again_and_every_line_is_answered(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HEADRACE_LEASE_S", "0.5")
    mark = tmp_path / "killed"
    sent = [f'{{"value":{value},"kills_once":"{mark if value == 300 else ""}"}}' for value in range(1, 1001)]
    lines, output = write(tmp_path / "in", *sent), tmp_path / "out"
    assert main(["run", APP, "--input", str(lines), "--output", str(output), "--bus", redis_url]) == 0
    assert output.read_text().splitlines() == [f'{{"text":"{2 * value}"}}' for value in range(1, 1001)]
    assert mark.exists()
    told = capfd.readouterr().err
    assert '"how": "was ended by SIGKILL"' in told
    assert "remote handoff failed for group 'one'" in told


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_workers_and_leaves_no_keys_and_no_output(
    number: signal.Signals, redis_url: str, tmp_path: Path
) -> None:
    before, mark, output = keys(redis_url), tmp_path / "under-way", tmp_path / "out"
    lines = write(tmp_path / "in", f'{{"value":1,"pause_s":600,"touches":"{mark}"}}')
    command = ["run", APP, "--input", str(lines), "--output", str(output), "--bus", redis_url]
    environment = {**os.environ, "HEADRACE_DRAIN_S": "0"}
    with subprocess.Popen([sys.executable, "-m", "headrace_cli", *command], env=environment) as process:
        wait_until_sync(mark.exists, description="the node runs")
        workers = children_of(process.pid)
        process.send_signal(number)
        assert process.wait(20) == 128 + number
    assert len(workers) == 2
    assert all(is_gone(pid) for pid in workers)
    assert keys(redis_url) == before
    assert not output.exists()


def test_workers_end_with_a_run_that_is_killed(redis_url: str, tmp_path: Path) -> None:
    mark, namespace = tmp_path / "under-way", f"killed-{tmp_path.name}"[:60]
    lines = write(tmp_path / "in", f'{{"value":1,"pause_s":600,"touches":"{mark}"}}')
    command = ["run", APP, "--input", str(lines), "--bus", redis_url, "--namespace", namespace]
    environment = {**os.environ, "HEADRACE_DRAIN_S": "0"}
    with subprocess.Popen([sys.executable, "-m", "headrace_cli", *command], env=environment) as process:
        wait_until_sync(mark.exists, description="the node runs")
        workers = children_of(process.pid)
        process.kill()
    assert len(workers) == 2
    wait_until_sync(lambda: all(is_gone(pid) for pid in workers), description="the workers have ended")


def test_a_worker_that_does_not_come_up_ends_the_run(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    before = keys(redis_url)
    monkeypatch.setenv("HEADRACE_CRASH_LIMIT", "2")
    assert main(["run", "tests.headrace_supervisor.broken:pipe", '{"value": 1}', "--bus", redis_url]) == 1
    last = capfd.readouterr().err.splitlines()[-1]
    assert last.startswith("error[handoff_failed]: remote handoff failed for group '")
    assert last.endswith("': its worker ended with exit code 1 before it was ready, 2 times in a row")
    assert keys(redis_url) == before


def test_a_mistake_in_a_workers_settings_ends_the_run_before_anything_is_started(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HEADRACE_SLOTS", "none")
    assert main(["run", APP, '{"value": 1}', "--bus", redis_url]) == 2
    assert capfd.readouterr().err.startswith("error[settings_invalid]: setting 'slots' is malformed")


def test_attach_uses_the_services_that_run_and_leaves_them_running(
    redis_url: str, namespace: str, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = {"bus_url": redis_url, "namespace": namespace}
    with (
        service("headrace_reply", **settings),
        service("headrace_worker", app=APP, group="one", **settings) as one,
        service("headrace_worker", app=APP, group="two", **settings) as two,
    ):
        for value in (1, 2):
            command = ["run", APP, f'{{"value": {value}}}', "--attach", "--namespace", namespace, "--bus", redis_url]
            assert main(command) == 0
        assert (one.process.poll(), two.process.poll()) == (None, None)
    assert capfd.readouterr().out == '{"text":"2"}\n{"text":"4"}\n'
