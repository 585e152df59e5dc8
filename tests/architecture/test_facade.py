"""The facade: few names, sorted, all of them there, and no transport or web framework behind them."""

import subprocess
import sys

import headrace

LIMIT_NAMES = 40
TRANSPORTS = ("redis", "fastapi", "starlette", "uvicorn", "typer", "pydantic_settings")


def test_the_names_of_the_facade_are_sorted_and_few() -> None:
    assert headrace.__all__ == sorted(set(headrace.__all__), key=lambda name: (name.casefold(), name))
    assert len(headrace.__all__) <= LIMIT_NAMES


def test_every_name_of_the_facade_is_there() -> None:
    assert [name for name in headrace.__all__ if not hasattr(headrace, name)] == []


def test_the_facade_pulls_in_no_transport() -> None:
    program = f"import headrace, sys; print(*sorted(set({TRANSPORTS!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
