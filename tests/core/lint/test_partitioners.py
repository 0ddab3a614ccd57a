"""The partitioners against vectors of those who made them; tests/cli/test_lint.py has real producers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.lint.partitioners import PARTITIONERS, fnv1a, murmur2

_SIGNED = 2**32


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_is_that_of_java(key: bytes, expected: int) -> None:
    """The vectors are those of Kafka's own UtilsTest."""
    assert murmur2(key) == expected % _SIGNED


@pytest.mark.parametrize(("key", "expected"), [(b"", 0x811C9DC5), (b"a", 0xE40C292C), (b"foobar", 0xBF9CF968)])
def test_fnv1a_is_the_one_of_its_authors(key: bytes, expected: int) -> None:
    """The vectors are those of the draft by Fowler, Noll and Vo."""
    assert fnv1a(key) == expected


@given(key=st.binary(min_size=1, max_size=64), partitions=st.integers(1, 1000))
def test_every_key_has_a_partition(key: bytes, partitions: int) -> None:
    assert all(0 <= partition_of(key, partitions) < partitions for partition_of in PARTITIONERS.values())


def test_hashes_with_the_sign_bit_are_made_positive_as_each_client_does_it() -> None:
    """Java takes the bit away, Sarama takes the absolute value, librdkafka has no sign."""
    java, librdkafka, sarama = PARTITIONERS.values()
    assert java(b"21", 7) == (-973932308 & 0x7FFFFFFF) % 7 == 3
    assert sarama(b"a", 6) == 468965076 % 6 == 0
    assert librdkafka(b"a", 7) == 0xE8B7BE43 % 7
