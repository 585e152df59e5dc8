"""A progress bar on stderr, where a person watches and there is something to watch."""

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_LONG_INPUT = 1000  # lines; fewer are done before a bar could be read
_STEP = 100  # lines between updates, so that the bar costs nothing
_CHUNK_BYTES = 1024 * 1024


@contextmanager
def progress_of(path: Path, *, is_wanted: bool | None = None) -> Generator[Callable[[], None]]:
    """Show how far the lines of a file have come.

    Args:
        path: The file; where it is none, its length cannot be known before, and there is no bar.
        is_wanted: None for a bar where stderr is a terminal.

    Yields:
        To be called once a line.
    """
    is_shown = sys.stderr.isatty() if is_wanted is None else is_wanted
    lines = count_lines(path) if path.is_file() and is_shown else 0
    if lines < _LONG_INPUT:
        yield lambda: None
        return
    rate = TextColumn("{task.fields[rate]:.0f}/s")
    columns = (BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn())
    with Progress(*columns, console=Console(file=sys.stderr)) as bar:
        task = bar.add_task("", total=lines, rate=0.0)
        done = 0

        def advance() -> None:
            nonlocal done
            done += 1
            if done % _STEP == 0:
                bar.update(task, completed=done, rate=bar.tasks[0].speed or 0.0)

        yield advance


def count_lines(path: Path) -> int:
    """Count the lines of a file; a last one without its line end counts."""
    count, last = 0, b"\n"
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            count += chunk.count(b"\n")
            last = chunk[-1:]
    return count + (last != b"\n")
