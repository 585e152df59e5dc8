"""The same file through `headrace run` in memory and on Redis: the same bytes, and those that the reference gives."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from redis import Redis
from tests.examples.fund_load.generator import write_lines
from tests.examples.fund_load.reference import judge_all
from tests.support.processes import children_of

from headrace.testing.wait import wait_until_sync

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
LINES = 3_000


def run_command(app: str, source: Path, output: Path, *arguments: str) -> list[str]:
    here = [sys.executable, "-m", "headrace_cli", "run", f"examples.fund_load:{app}"]
    return [*here, "--input", str(source), "--output", str(output), *arguments]


def expected(source: Path, *, experiment: bool) -> str:
    lines = source.read_text().removesuffix("\n").split("\n")
    return "".join(
        json.dumps(
            {"id": verdict.id, "customer_id": verdict.customer_id, "accepted": verdict.accepted},
            separators=(",", ":"),
            ensure_ascii=False,
        )
        + "\n"
        for verdict in judge_all(lines, experiment=experiment)
    )


@pytest.mark.parametrize("app", ["pipe", "experiment"])
def test_memory_and_redis_give_the_bytes_of_the_reference(app: str, redis_url: str, tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    write_lines(source, LINES, seed=5)
    in_memory, on_redis = tmp_path / "memory.jsonl", tmp_path / "redis.jsonl"
    subprocess.run(run_command(app, source, in_memory), check=True)
    subprocess.run(run_command(app, source, on_redis, "--bus", redis_url, "--workers", "2"), check=True)
    assert in_memory.read_text() == expected(source, experiment=app == "experiment")
    assert on_redis.read_bytes() == in_memory.read_bytes()


@pytest.mark.parametrize("workers", [1, 3])
def test_one_machine_gives_the_bytes_of_memory_with_one_and_with_several_workers(workers: int, tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    write_lines(source, LINES, seed=7)
    in_memory, on_tcp = tmp_path / "memory.jsonl", tmp_path / "tcp.jsonl"
    subprocess.run(run_command("pipe", source, in_memory), check=True)
    arguments = ("--bus", "tcp://127.0.0.1:0", "--workers", str(workers))
    subprocess.run(run_command("pipe", source, on_tcp, *arguments), check=True)
    assert on_tcp.read_bytes() == in_memory.read_bytes()
    assert len(in_memory.read_bytes().splitlines()) > 0


@pytest.fixture(scope="module")
def many_lines(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Lines enough to outlast three kills, and their answers, which take the reference a while."""
    source = tmp_path_factory.mktemp("many") / "in.jsonl"
    write_lines(source, 4 * LINES, seed=6)
    return source, expected(source, experiment=False)


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_workers_that_are_killed_on_the_way_change_no_byte(
    workers: int, many_lines: tuple[Path, str], redis_url: str, tmp_path: Path
) -> None:
    (source, answers), output = many_lines, tmp_path / "out.jsonl"
    command = run_command("pipe", source, output, "--bus", redis_url, "--workers", str(workers))
    killed: set[int] = set()
    with subprocess.Popen(command, env={**os.environ, "HEADRACE_LEASE_S": "0.5"}) as running:
        wait_until_sync(lambda: has_runs(redis_url), timeout_s=30, description="the run is under way")
        for place in (0, workers, 2 * workers):  # a worker of each group
            victim = children_of(running.pid)[place]
            os.kill(victim, signal.SIGKILL)
            killed.add(victim)
            wait_until_sync(
                lambda: is_replaced(running, killed, 3 * workers), timeout_s=30, description="it is started again"
            )
        assert running.wait(90) == 0
    assert output.read_text() == answers


def has_runs(redis_url: str) -> bool:
    with Redis.from_url(redis_url) as client:
        return next(client.scan_iter("{run-*:run:*", count=10_000), None) is not None


def is_replaced(running: subprocess.Popen[bytes], killed: set[int], workers: int) -> bool:
    return running.poll() is not None or len(set(children_of(running.pid)) - killed) == workers
