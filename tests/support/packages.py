"""Commands that tests need beside Python; the package manager installs them where they are missing and it can."""

import os
import shutil
import subprocess


def have(command: str, package: str) -> bool:
    """Tell whether a command is there; as root on Debian its package is installed where it is missing."""
    return shutil.which(command) is not None or _install(command, package)


def need(command: str, package: str) -> None:
    """Make sure that a command is there.

    Raises:
        RuntimeError: It is missing; the message says what to do.
    """
    if not have(command, package):
        raise RuntimeError(f"this test needs `{command}`: apt-get install {package}, or brew install {package}")


def _install(command: str, package: str) -> bool:
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        return False
    succeeds("apt-get", "update", "-q", timeout_s=120)
    succeeds("apt-get", "install", "-y", "-q", "--no-install-recommends", package, timeout_s=300)
    return shutil.which(command) is not None


def succeeds(*command: str, timeout_s: float) -> bool:
    """Run a command that asks nothing; tell whether it ended well."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=timeout_s, env=environment
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
