"""Deletes a namespace: for whoever made it for a while, such as one invocation of a command or one test."""

from itertools import groupby
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
    deleted = 0
    try:
        async with connections.errors():
            for master in await connections.masters():
                cursor = -1
                while cursor != 0:
                    answer: Any = await connections.commands.on(
                        master, "SCAN", max(cursor, 0), "MATCH", _pattern(namespace), "COUNT", _SCAN_COUNT
                    )
                    cursor = int(answer[0])
                    for _, keys in groupby(sorted(answer[1]), _tag):  # keys of one command lie in one slot
                        deleted += await connections.commands.unlink(*keys)
        return deleted
    finally:
        await connections.aclose()


def _tag(key: bytes) -> bytes:
    return key.split(b"}", 1)[0]


def _pattern(namespace: str) -> str:
    literal = "".join(f"\\{letter}" if letter in _PATTERN_LETTERS else letter for letter in namespace)
    return f"{{{literal}:*"
