"""A commit request has a bound, and every partition of a commit is in exactly one request."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connector.core.record import Partition
from connector.core.signals import METADATA_OF_A_REQUEST, Commit, in_requests


@given(st.lists(st.integers(0, 50), max_size=30), st.integers(1, 100))
def test_a_commit_is_split_into_requests_within_the_bound(sizes: list[int], most: int) -> None:
    """A single partition that is larger than the bound goes alone."""
    commit = {Partition("t", n): Commit(n, "x" * size) for n, size in enumerate(sizes)}
    parts = list(in_requests(commit, most))
    assert [entry for part in parts for entry in part.items()] == list(commit.items())
    assert all(parts)
    assert all(sum(len(c.metadata) for c in part.values()) <= most or len(part) == 1 for part in parts)


def test_as_many_full_maps_as_were_seen_to_pass_go_in_one_request() -> None:
    """146 partitions of 4,095 characters; Kafka was seen to take 240 and to refuse 300."""
    commit = {Partition("t", n): Commit(n, "x" * 4095) for n in range(300)}
    assert [len(part) for part in in_requests(commit)] == [146, 146, 8]
    assert METADATA_OF_A_REQUEST == 600_000
