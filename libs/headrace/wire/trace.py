"""Trace ids: the name of a run, which also says the partition its keys live in. Pure: randomness comes in."""

import re
from zlib import crc32

MAX_PARTITIONS = 0x10000
NO_RUN = "0" * 32  # a trace id that is never made
ENTROPY_BYTES = 14
_PARTITION_DIGITS = 4
_FORM = re.compile("[0-9a-f]{32}").fullmatch


def trace_id(partition: int, entropy: bytes) -> str:
    """Make a trace id.

    Args:
        partition: Where the run's keys live, 0 to 65,535.
        entropy: 14 random bytes.

    Returns:
        32 lowercase hexadecimal digits, the form of a W3C trace-id; the first four are the partition.
    """
    return f"{partition:04x}{entropy.hex()}"


def elsewhere(trace_id: str, partitions: int) -> list[str]:
    """Give the trace ids of the same entropy in all other partitions."""
    own = partition_of(trace_id)
    return [f"{other:04x}{trace_id[_PARTITION_DIGITS:]}" for other in range(partitions) if other != own]


def partition_of(trace_id: str) -> int:
    """Read the partition out of a trace id that `is_trace_id`."""
    return int(trace_id[:_PARTITION_DIGITS], 16)


def is_trace_id(text: str) -> bool:
    """Tell whether a text from outside has the form of a trace id."""
    return _FORM(text) is not None


def choose_partition(key: bytes, partitions: int) -> int:
    """Choose the partition of a partition key: the same for the same key and number of partitions, on every host."""
    return crc32(key) % partitions
