"""The reader of the pages can be disappointed: what a page shows and what happens are told apart."""

from pathlib import Path

import pytest
from tests.readme.blocks import Block
from tests.readme.session import Session, fits


def block(text: str, *, language: str = "console", title: str = "") -> Block:
    return Block(page="page.md", section="", language=language, title=title, run_by="", line=1, text=text)


@pytest.mark.parametrize(
    ("shown", "printed", "expected"),
    [
        ("a\nb", "a  \n\nb\n", True),
        ("a", "a\nb", False),
        ("a\nb", "a", False),
        ("", "a", False),
        ("run '...': failed", "run '123': failed", True),
        ("run '...': failed", "run '1\n2': failed", False),
        ("...\nok", "ok", True),
        ("...\nok", "one\ntwo\nok", True),
        ("...\nok", "one\nnot", False),
        ("a.b", "axb", False),
    ],
)
def test_what_is_printed_is_compared_line_by_line(shown: str, printed: str, expected: bool) -> None:
    assert fits(shown, printed) is expected


def test_files_are_saved_and_commands_typed_in_one_shell(tmp_path: Path) -> None:
    reader = Session(tmp_path)
    reader.run(block("name = 'Ada'\n", language="toml", title="a.toml"))
    reader.run(block("$ said=$(cat a.toml)\n$ echo \"$said\" \\\n>   and more\nname = 'Ada' and more\n"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$ echo one\ntwo\n", r"page.md:1: \$ echo one\none"),
        ("$ false\n", r"exit code 1"),
        ("$ echo 'error[x]: y'\nerror[x]: y\n", r"exit code 0"),
        ("$ exit 3\n", r"'exit 3' never ended"),
    ],
)
def test_a_page_that_says_otherwise_fails(text: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=expected):
        Session(tmp_path).run(block(text))


def test_a_block_that_nothing_runs_fails(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="nothing runs this block"):
        Session(tmp_path).run(block("a: 1\n", language="yaml"))


def test_python_that_raises_fails(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        Session(tmp_path).run(block("1 / 0\n", language="python"))
