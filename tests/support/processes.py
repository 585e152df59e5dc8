"""Looks at processes."""

import subprocess
from pathlib import Path


def children_of(pid: int) -> list[int]:
    """Give the processes that a process has started and that still run."""
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    if listed.parent.exists():
        return [int(child) for child in listed.read_text().split()]
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)  # macOS
    return [int(line) for line in found.stdout.split()]
