from pathlib import Path

import pytest

from headrace_cli.progress import count_lines, progress_of


@pytest.mark.parametrize(("text", "lines"), [("", 0), ("a", 1), ("a\n", 1), ("a\nb", 2), ("\n\n", 2)])
def test_lines_are_counted_with_a_last_one_that_is_not_ended(text: str, lines: int, tmp_path: Path) -> None:
    path = tmp_path / "in"
    path.write_text(text)
    assert count_lines(path) == lines


@pytest.mark.parametrize(("lines", "is_shown"), [(999, False), (1000, True)])
def test_a_long_input_has_a_bar_on_stderr(
    *, lines: int, is_shown: bool, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "in"
    path.write_text("x\n" * lines)
    with progress_of(path, is_wanted=True) as advance:
        for _ in range(lines):
            advance()
    written = capfd.readouterr()
    assert written.out == ""
    assert bool(written.err.strip()) == is_shown


def test_there_is_no_bar_where_nobody_watches(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "in"
    path.write_text("x\n" * 5000)
    with progress_of(path) as advance:
        advance()
    assert capfd.readouterr() == ("", "")
