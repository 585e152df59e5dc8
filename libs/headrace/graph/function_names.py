"""The names of users' functions."""

from typing import Any


def name_of(function: Any) -> str:  # noqa: ANN401 - whatever can be called
    """Name a function, or the class of what is called like one; its `repr` would be the user's, and may raise."""
    return str(getattr(function, "__qualname__", type(function).__qualname__))
