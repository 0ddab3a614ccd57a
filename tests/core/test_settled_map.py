"""The map in a commit's metadata: its laws, and when it is ignored."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from itertools import pairwise
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.settled_map import (
    BOUND,
    IGNORED,
    NO_EPOCH,
    LogIdentity,
    Run,
    SettledMap,
    as_shadows,
    decode,
    encode,
    is_deliverers,
    is_shadows,
    names_cluster,
    read,
    says_ahead,
    without_shadow,
)

IDENTITY = LogIdentity("ASwZCPxmTEm9PwR3wMt0xw", "Fznotj_gQ2ei_qsRFJVngw")
END = 1 << 62


@st.composite
def maps(draw: st.DrawFn) -> tuple[int, list[Run]]:
    """A base offset, and runs behind it that rise and touch only where the epoch changes."""
    base = cursor = draw(st.integers(0, 1 << 40))
    epoch = draw(st.integers(0, 300))
    wide = draw(st.booleans())
    runs: list[Run] = []
    for _ in range(draw(st.integers(0, 60))):
        changed = draw(st.integers(0, 9)) == 0
        epoch += changed
        gap = draw(st.integers(0 if changed or not runs else 1, 100_000 if wide else 4))
        length = draw(st.integers(0, 1000 if wide else 6))
        runs.append(Run(cursor + gap, cursor + gap + length, epoch))
        cursor = runs[-1].last + 1
    return base, runs


@given(maps(), st.text(max_size=40), st.text(max_size=40))
def test_what_was_written_is_read(given_map: tuple[int, list[Run]], cluster: str, topic: str) -> None:
    """Any runs, sparse or dense, of any epochs, come back as they were."""
    base, runs = given_map
    identity = LogIdentity(cluster, topic)
    text, inside = encode(base, runs, identity)
    assert inside == len(runs)
    assert decode(text, base, identity, END) == tuple(runs)
    assert read(text) == SettledMap(base, identity, tuple(runs))
    assert says_ahead(text) == bool(runs)


@given(maps(), st.integers(0, 400))
def test_a_bound_keeps_the_longest_first_part_that_fits(given_map: tuple[int, list[Run]], bound: int) -> None:
    """The text never is longer than the bound, what is in it is the first runs, and one more would not fit."""
    base, runs = given_map
    text, inside = encode(base, runs, IDENTITY, bound)
    assert len(text) <= bound
    assert decode(text, base, IDENTITY, END) == tuple(runs[:inside])
    if inside < len(runs):
        assert len(encode(base, runs[: inside + 1], IDENTITY)[0]) > bound


@given(maps(), st.data())
def test_a_damaged_map_is_ignored(given_map: tuple[int, list[Run]], data: st.DataObject) -> None:
    """Any one character changed, dropped or added: nothing is skipped."""
    base, runs = given_map
    text, _ = encode(base, runs, IDENTITY)
    if not text:
        return
    place = data.draw(st.integers(0, len(text) - 1))
    put = data.draw(st.text("abcXYZ019-_=:é ", max_size=2))
    damaged = text[:place] + put + text[place + 1 :]
    found = decode(damaged, base, IDENTITY, END)
    assert found in IGNORED or found == tuple(runs) or not damaged


@given(st.one_of(st.text(), st.text().map("s1:".__add__), st.binary().map(lambda b: _sealed(b))), st.integers(0, 9))
def test_any_text_gets_an_answer(text: str, base: int) -> None:
    """Commit metadata is untrusted, also when its checksum is right: never an exception."""
    found = decode(text, base, IDENTITY, END)
    assert isinstance(found, tuple) or found in IGNORED


@given(st.binary(max_size=300))
def test_what_is_read_from_any_bytes_are_runs_in_order(rest: bytes) -> None:
    """A tracker is only ever given runs that rise, whoever wrote the text."""
    body = b"\x05\x01c\x01t" + rest
    found = decode(_sealed(body), 5, LogIdentity("c", "t"), END)
    if isinstance(found, tuple):
        assert all(run.first <= run.last for run in found)
        assert all(a.last < b.first for a, b in pairwise(found))
        assert all(run.first >= 5 for run in found)


def test_ten_thousand_records_settled_behind_one_slow_head_are_a_short_text() -> None:
    """One run is two numbers."""
    text, inside = encode(100, [Run(101, 10_100, 7)], IDENTITY)
    assert inside == 1
    assert len(text) < 90


def test_dense_holes_are_a_bitmap() -> None:
    """Every other record of 16,000 settled: 2,000 bytes of bits, where pairs would take twice as many."""
    runs = [Run(offset, offset, 0) for offset in range(101, 16_101, 2)]
    text, inside = encode(100, runs, IDENTITY)
    assert inside == len(runs)
    assert len(text) < 2800
    assert decode(text, 100, IDENTITY, END) == tuple(runs)


@pytest.mark.parametrize(
    ("base", "identity", "end", "reason"),
    [
        (11, IDENTITY, END, "base"),
        (9, IDENTITY, END, "base"),
        (10, None, END, "unidentified"),
        (10, IDENTITY, None, "unidentified"),
        (10, IDENTITY._replace(cluster_id="mirror"), END, "cluster"),
        (10, IDENTITY._replace(topic_id="anew"), END, "topic"),
        (10, IDENTITY, 20, "end"),
    ],
)
def test_a_map_is_ignored_unless_all_fits(
    base: int, identity: LogIdentity | None, end: int | None, reason: str
) -> None:
    """Another commit, another or an unknown log, a log that ends earlier: repeats, never losses."""
    text, _ = encode(10, [Run(12, 20, 3)], IDENTITY)
    assert decode(text, base, identity, end) == reason


def test_a_map_that_reaches_the_last_record_fits() -> None:
    """The end is the offset after the last record."""
    text, _ = encode(10, [Run(12, 20, 3)], IDENTITY)
    assert decode(text, 10, IDENTITY, 21) == (Run(12, 20, 3),)


@pytest.mark.parametrize("text", ["{}", "s2:AAAA", "ckpt", "S1:AAAA", "s1:" + "A" * BOUND])
def test_other_text_is_foreign(text: str) -> None:
    """Another program's metadata, or a version of ours that is not read yet."""
    assert decode(text, 0, IDENTITY, END) == "foreign"


@pytest.mark.parametrize("text", ["s1:", "s1:AAAA", "s1:é", "s1:====", "s1:A"])
def test_text_that_only_begins_like_ours_is_damaged(text: str) -> None:
    """It is not read any further."""
    assert decode(text, 0, IDENTITY, END) == "damaged"


@pytest.mark.parametrize("group", [b"\x00\x00", b"\x00\x03\x00\x00"])
def test_a_group_without_runs_is_damage(group: bytes) -> None:
    """No runs, and a bitmap without a bit: no writer of ours makes them."""
    assert decode(_sealed(b"\x05\x01c\x01t" + group), 5, LogIdentity("c", "t"), END) == "damaged"


def test_a_commit_with_nothing_settled_ahead_names_its_log_in_few_characters() -> None:
    """It is written with every commit of every partition. Its base is told even where the topic is another one."""
    text, _ = encode(123_456_789, (), IDENTITY)
    assert len(text) == 75
    assert decode(text, 123_456_789, IDENTITY, END) == ()
    assert decode(text, 123_456_789, None, None) == ()
    assert decode(text, 99, IDENTITY._replace(cluster_id="mirror"), END) == "cluster"
    assert decode(text, 99, None, None, "mirror") == "cluster"
    assert decode(text, 99, None, None, IDENTITY.cluster_id) == ()


def test_a_name_that_does_not_fit_is_left_out() -> None:
    assert encode(0, (), IDENTITY, 40) == encode(0, [Run(1, 2, 1)], IDENTITY, 40) == ("", 0)


def test_no_text_is_a_map_without_runs() -> None:
    """A commit of a partition with nothing settled ahead carries no metadata: nothing to report."""
    assert decode("", 0, None, None) == ()


def test_nothing_is_written_of_a_log_that_is_not_known() -> None:
    """A map that could not be told from another log's must not be there."""
    assert encode(0, [Run(1, 2, 0)], None) == ("", 0)


def test_nothing_is_written_from_the_first_record_on_whose_epoch_is_not_known() -> None:
    """Without its epoch a record cannot be told from one that was written in its place."""
    assert encode(0, [Run(1, 2, NO_EPOCH), Run(4, 5, 1)], IDENTITY) == encode(0, (), IDENTITY)
    text, inside = encode(0, [Run(1, 2, 1), Run(3, 5, NO_EPOCH), Run(6, 7, 2)], IDENTITY)
    assert inside == 1
    assert decode(text, 0, IDENTITY, END) == (Run(1, 2, 1),)


def test_the_text_of_version_1_stays_as_it_is() -> None:
    """A golden text: what one release wrote, the next one reads, and the one before after a roll back."""
    runs = (Run(101, 104, 3), Run(106, 106, 3), Run(107, 120, 5))
    text, _ = encode(100, runs, LogIdentity("cluster", "topic"))
    assert text == GOLDEN
    assert decode(GOLDEN, 100, LogIdentity("cluster", "topic"), 200) == runs


def _sealed(body: bytes) -> str:
    return "s1:" + urlsafe_b64encode(crc32(body).to_bytes(4) + body).rstrip(b"=").decode()


GOLDEN = "s1:iFVASGQHY2x1c3RlcgV0b3BpYwMDAS8FBQD_Pw"


@given(maps(), st.booleans())
def test_a_shadows_text_is_nobody_elses_and_comes_back_as_it_was(
    given_map: tuple[int, list[Run]], is_identified: bool
) -> None:
    """A process that does not know of shadows skips nothing by it."""
    base, runs = given_map
    text, _ = encode(base, runs, IDENTITY if is_identified else None)
    shadows = as_shadows(text)
    assert without_shadow(shadows) == text
    assert without_shadow(text) == text
    assert (is_shadows(shadows), is_deliverers(shadows), is_shadows(text)) == (True, False, False)
    assert is_deliverers(text) == bool(text)
    assert len(shadows) <= BOUND
    assert read(shadows) == decode(shadows, base, IDENTITY, END) == "foreign"


def test_metadata_of_ours_names_the_cluster_and_no_other_does() -> None:
    assert names_cluster(encode(3, (), IDENTITY, BOUND)[0])
    assert not names_cluster("")
    assert not names_cluster("somebody else's")


def test_where_half_of_a_map_fits_more_than_half_of_it_is_tried() -> None:
    runs = [Run(offset, offset, 1) for offset in range(1, 2000, 7)]
    whole = len(encode(0, runs, IDENTITY, 10_000)[0])
    text, inside = encode(0, runs, IDENTITY, whole * 3 // 4)
    assert len(runs) // 2 < inside < len(runs)
    assert decode(text, 0, IDENTITY, END) == tuple(runs[:inside])
