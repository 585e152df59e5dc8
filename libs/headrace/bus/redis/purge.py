"""Deletes a namespace: for whoever made it for a while, such as one invocation of a command or one test."""

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
            keys: list[bytes] = []
            async for key in connections.commands.scan_iter(match=_pattern(namespace), count=_SCAN_COUNT):
                keys.append(key)
                if len(keys) >= _SCAN_COUNT:
                    deleted += await connections.commands.unlink(*keys)
                    keys.clear()
            if keys:
                deleted += await connections.commands.unlink(*keys)
    finally:
        await connections.aclose()
    return deleted


def _pattern(namespace: str) -> str:
    literal = "".join(f"\\{letter}" if letter in _PATTERN_LETTERS else letter for letter in namespace)
    return f"{{{literal}:*"
