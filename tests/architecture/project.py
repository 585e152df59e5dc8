"""The checkout as the architecture tests see it: its files, and nothing that a tool has made."""

import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE = ("libs", "services", "tests", "examples", "benchmarks")
MADE_BY_TOOLS = {"__pycache__", "node_modules", "dist", "build", "out"}
OWN_DOT_NAMES = {".ci", ".dockerignore", ".editorconfig", ".github", ".gitignore"}


def python_files() -> Iterator[tuple[str, str]]:
    """Every Python file of ours, with its text."""
    return ((name, text) for name, text in text_files() if name.endswith(".py") and name.split("/")[0] in CODE)


def text_files() -> Iterator[tuple[str, str]]:
    """Every text file of the project, by its path from the root, with its text."""
    for folder, subfolders, names in os.walk(ROOT):
        subfolders[:] = sorted(filter(_is_ours, subfolders))  # in place: what is not ours is not walked
        for name in sorted(filter(_is_ours, names)):
            path = Path(folder, name)
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8", errors="replace")


def _is_ours(name: str) -> bool:
    return name in OWN_DOT_NAMES or not (name in MADE_BY_TOOLS or name.startswith("."))
