"""The table of rows in `docs/faults.md`, and the tests of this folder: the same, but for rows that lie elsewhere."""

import re
from pathlib import Path

from tests.support.services import ROOT

HERE = Path(__file__)
TEST = re.compile(r"^(?:async )?def (test_\w+)", re.MULTILINE)
ROW = re.compile(r"\| `(tests/[\w/]+/)?(test_\w+\.py)::(test_\w+)` \|$", re.MULTILINE)
LEAST = 30


def test_every_row_of_the_table_is_a_test_and_every_test_is_a_row() -> None:
    tests = [f"{file.name}::{name}" for file in rows() for name in TEST.findall(file.read_text(encoding="utf-8"))]
    named = [f"{file}::{name}" for folder, file, name in table() if not folder]
    assert sorted(named) == sorted(tests)
    assert len(named) >= LEAST


def test_every_row_that_lies_elsewhere_is_there() -> None:
    elsewhere = [(ROOT / folder / file, name) for folder, file, name in table() if folder]
    assert [name for file, name in elsewhere if name not in TEST.findall(file.read_text(encoding="utf-8"))] == []
    assert elsewhere


def table() -> list[tuple[str, str, str]]:
    """Give folder, file and test of each row; a row without a folder is of this one."""
    return ROW.findall((ROOT / "docs" / "faults.md").read_text(encoding="utf-8"))


def rows() -> list[Path]:
    return [file for file in HERE.parent.glob("test_*.py") if file != HERE]
