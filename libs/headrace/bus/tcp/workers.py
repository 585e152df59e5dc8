"""Which connection each worker speaks on, so that the end of it tells that the worker may be gone."""

from collections.abc import Callable

Left = Callable[[str, str], object]
"""Told of a group and a worker of it whose connection has ended, and who speaks on no other."""


class Workers:
    """The workers of all connections.

    Args:
        left: None where nobody is to be told.
    """

    def __init__(self, left: Left | None) -> None:
        self._left = left
        self._lines: dict[tuple[str, str], object] = {}

    def speaks(self, group: str, worker: str, line: object) -> None:
        """Note that a worker speaks on a connection, and on no other any more."""
        self._lines[group, worker] = line

    def ended(self, line: object) -> None:
        """Note the end of a connection. One that ends late is no longer that of a worker who is back on another."""
        for name in [name for name, its_line in self._lines.items() if its_line is line]:
            del self._lines[name]
            if self._left is not None:
                self._left(*name)
