"""The facade: each of its names is there when it is asked for."""

import subprocess
import sys

import pytest

import headrace


def test_every_name_of_the_facade_is_there_and_listed() -> None:
    assert [name for name in headrace.__all__ if getattr(headrace, name, None) is None] == []
    assert set(headrace.__all__) <= set(dir(headrace))


def test_any_other_name_is_told() -> None:
    with pytest.raises(AttributeError, match="module 'headrace' has no attribute 'Pip'"):
        _ = headrace.Pip  # type: ignore[attr-defined]


def test_a_part_of_the_library_is_imported_without_the_others() -> None:
    code = "import headrace.errors, sys; print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name for name in ended.stdout.split() if name.startswith("headrace")}
    assert loaded == {"headrace", "headrace.errors", "headrace.failures"}
