"""What goes over the pipes between a process and its children: a length, and so many bytes."""

LENGTH_BYTES = 8


def with_length(blob: bytes) -> bytes:
    """Put a length in front."""
    return len(blob).to_bytes(LENGTH_BYTES, "big") + blob


def length_of(head: bytes) -> int:
    """Read a length."""
    return int.from_bytes(head, "big")
