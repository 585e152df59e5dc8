"""Counts calls of a worker's function, where the harness can see it: eight bytes a process in a shared directory.

It costs some 0.3 µs a call and is the same for every peer, so the end of a case needs nothing of a peer's own.
"""

import mmap
import os
import struct
import threading
from pathlib import Path

DIRECTORY = "BENCH_COUNTS"
_NUMBER = struct.Struct("q")
_lock = threading.Lock()


class _Count:
    def __init__(self) -> None:
        path = Path(os.environ[DIRECTORY]) / str(os.getpid())
        path.write_bytes(bytes(_NUMBER.size))
        with path.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), _NUMBER.size)
        self._calls = 0

    def up(self) -> None:
        self._calls += 1
        _NUMBER.pack_into(self._shared, 0, self._calls)


_counts: list[_Count] = []
os.register_at_fork(after_in_child=_counts.clear)


def count() -> None:
    """Count one call; thread-safe."""
    with _lock:
        if not _counts:
            _counts.append(_Count())
        _counts[0].up()


def counted(directory: Path) -> int:
    """Give the calls of all processes so far."""
    return sum(
        _NUMBER.unpack(data)[0] for path in directory.iterdir() if len(data := path.read_bytes()) == _NUMBER.size
    )
