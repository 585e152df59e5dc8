"""Gates: what must be known of the bus before a node is called, such as its time, and which runs were abandoned."""

from typing import Protocol


class Gate(Protocol):
    """Something to wait for; it may close again."""

    def is_open(self) -> bool:
        """Whether work may begin."""
        ...

    async def opened(self) -> None:
        """Wait until it may."""
        ...
