"""Deletes a namespace: for whoever made it for a while, such as one invocation of a command or one test."""

from typing import Any

from headrace.bus.redis.connection import Connections

_SCAN_COUNT = 1000
_PATTERN_LETTERS = "*?[]^\\"


async def delete_namespace(url: str, namespace: str) -> int:
    """Delete every key of a namespace, and no other; gives how many there were.

    Raises:
        BusUnavailableError: The bus is away.
    """
    connections = Connections(url)
    cursor, deleted = 0, 0
    try:
        async with connections.errors():
            while True:
                answer: Any = await connections.block(
                    "SCAN", cursor, "MATCH", _pattern(namespace), "COUNT", _SCAN_COUNT
                )
                cursor, keys = int(answer[0]), list[bytes](answer[1])
                if keys:
                    deleted += await connections.commands.unlink(*keys)
                if cursor == 0:
                    return deleted
    finally:
        await connections.aclose()


def _pattern(namespace: str) -> str:
    literal = "".join(f"\\{letter}" if letter in _PATTERN_LETTERS else letter for letter in namespace)
    return f"{{{literal}:*"
