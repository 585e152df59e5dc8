"""Docker for tests, by its command line."""

import shutil
import subprocess

import pytest


def docker(*arguments: str, timeout_s: float = 300) -> str:
    """Run a command of Docker's; gives what it prints."""
    done = subprocess.run(
        ["docker", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_s,
    )
    assert done.returncode == 0, f"docker {' '.join(arguments)}:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout.strip()


def compose() -> tuple[str, ...]:
    """Give the command of compose; both its spellings are about."""
    if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0:
        return ("docker", "compose")
    if shutil.which("docker-compose"):
        return ("docker-compose",)
    pytest.fail("these tests need docker compose or docker-compose; `make test` runs all the others")
