"""What a record weighs bounds our memory, so nothing of it may be left out."""

from __future__ import annotations

from connector.core.record import Partition, Record


def test_a_records_size_counts_its_headers() -> None:
    """A bound on bytes that forgot them would be none: headers may be as large as a value."""
    bare = Record(Partition("invocations", 0), 0, None, None, None)
    assert bare.size == 0
    assert bare._replace(key=b"k", value=b"vv", headers=(("abc", b"1234"), ("d", None))).size == 3 + 8


def test_a_partition_is_written_as_kafkas_tools_write_it() -> None:
    assert str(Partition("invocations", 3)) == "invocations-3"
