"""Looks at processes."""

import os
import subprocess
from pathlib import Path


def children_of(pid: int) -> list[int]:
    """Give the processes that a process has started and that still run."""
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    if listed.parent.exists():
        return [int(child) for child in listed.read_text().split()]
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)  # macOS
    return [int(line) for line in found.stdout.split()]


def is_gone(pid: int) -> bool:
    """Tell whether a process has ended; one that nobody has waited for yet has."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z"


def command_of(pid: int) -> str:
    """Give the command line of a process, as everybody on its host can see it."""
    return subprocess.run(["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=True).stdout
