"""Trace ids: their form, and the partition that they carry."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.wire.trace import MAX_PARTITIONS, choose_partition, is_trace_id, partition_of, trace_id

PARTITIONS = st.integers(0, MAX_PARTITIONS - 1)
ENTROPY = st.binary(min_size=14, max_size=14)


@given(PARTITIONS, ENTROPY)
def test_a_trace_id_is_a_w3c_trace_id_and_carries_its_partition(partition: int, entropy: bytes) -> None:
    made = trace_id(partition, entropy)

    assert is_trace_id(made)
    assert partition_of(made) == partition
    assert made.endswith(entropy.hex())


@pytest.mark.parametrize(
    "text", ["", "0" * 31, "0" * 33, "G" * 32, "A" * 32, "0" * 31 + "\n", "\N{ARABIC-INDIC DIGIT ZERO}" * 32]
)
def test_other_texts_are_no_trace_ids(text: str) -> None:
    assert not is_trace_id(text)


@given(st.binary(), st.integers(1, MAX_PARTITIONS))
def test_a_partition_key_has_one_partition_among_those_there_are(key: bytes, partitions: int) -> None:
    chosen = choose_partition(key, partitions)

    assert 0 <= chosen < partitions
    assert chosen == choose_partition(key, partitions)


def test_a_partition_key_has_the_same_partition_on_every_host_and_in_every_release() -> None:
    assert [choose_partition(key, 16) for key in (b"a", b"b", b"customer-7")] == [3, 9, 8]
