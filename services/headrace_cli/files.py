"""What a command reads and writes: messages and answers in files or standard streams, words for people on stderr."""

import os
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

STANDARD = Path("-")
_BUFFER_BYTES = 1024 * 1024


def say(line: str) -> None:
    """Tell the person at the terminal."""
    sys.stderr.write(f"headrace: {line}\n")
    sys.stderr.flush()


@contextmanager
def input_from(path: Path) -> Generator[IO[bytes]]:
    """Open an input: standard input for `-`."""
    if path == STANDARD:
        yield sys.stdin.buffer
        return
    with path.open("rb", buffering=_BUFFER_BYTES) as file:
        yield file


@contextmanager
def output_to(path: Path | None) -> Generator[IO[bytes]]:
    """Open an output: stdout for None and `-`, else a file that appears whole, or not at all where the body fails."""
    if path is None or path == STANDARD:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    elif path.exists() and not path.is_file():  # a device or a pipe, which cannot be replaced
        with path.open("wb") as file:
            yield file
    else:
        with _replacing(path) as file:
            yield file


@contextmanager
def _replacing(path: Path) -> Generator[IO[bytes]]:
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    beside = Path(name)
    try:
        with open(descriptor, "wb", buffering=_BUFFER_BYTES) as file:  # noqa: PTH123 - of a descriptor
            yield file
        beside.chmod(_mode(path))
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _mode(path: Path) -> int:
    if path.exists():
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
